/**
 * kafkajs ends a consumer for good on an error that it holds for final, and joins again under a new member id, beside
 * its own former self, on any other. So every crash has one answer here: a new consumer, after a growing pause.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer } from 'kafkajs';
import type { Logger } from 'pino';
import { untilItWorks } from './until-it-works.ts';

const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 2000;

export interface SupervisedConsumerOptions {
  /** For messages. */
  readonly what: string;
  readonly logger: Logger;
  /** Aborted when the transport closes. */
  readonly signal: AbortSignal;
  /** A consumer that is not connected yet. */
  readonly make: () => Consumer;
  /** Connects, subscribes and runs it. The signal is aborted when it is to end. */
  readonly run: (consumer: Consumer, signal: AbortSignal) => Promise<void>;
  /** Told why there is no consumer, and undefined when there is one again. */
  readonly onMissing?: (why: string | undefined) => void;
}

interface Running {
  /** Resolves with the reason when the consumer ended by itself. */
  readonly crashed: Promise<Error>;
}

export class SupervisedConsumer {
  readonly #options: SupervisedConsumerOptions;
  readonly #closing = new AbortController();
  #consumer: Consumer | undefined;

  constructor(options: SupervisedConsumerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the first consumer runs; it is replaced for as long as `close` was not called. Rejects when it is
   * closed, or the transport is, before one runs.
   */
  async start(): Promise<void> {
    void this.#supervise(await this.#build());
  }

  /** Leaves the group. A batch under way is waited for. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#consumer?.disconnect().catch(() => undefined);
  }

  async #supervise(first: Running): Promise<void> {
    let running = first;
    let pauseMs = PAUSE_MS_MIN;
    for (;;) {
      const startedAtMs = Date.now();
      const error = await running.crashed;
      if (this.#closing.signal.aborted) return;
      pauseMs = Date.now() - startedAtMs > PAUSE_MS_MAX ? PAUSE_MS_MIN : Math.min(pauseMs * 2, PAUSE_MS_MAX);
      const { what, logger, onMissing } = this.#options;
      logger.warn({ consumer: what, err: error.message, pauseMs }, `${what} stopped; it is made again`);
      onMissing?.(error.message);
      try {
        await pause(pauseMs, undefined, { signal: this.#closing.signal });
        running = await this.#build();
        onMissing?.(undefined);
      } catch {
        return; // closing
      }
    }
  }

  #build(): Promise<Running> {
    const { what, logger, make, run } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#closing.signal]);
    return untilItWorks({ what, logger, signal }, async () => {
      const consumer = make();
      const { promise: crashed, resolve } = Promise.withResolvers<Error>();
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        resolve(payload.error);
      });
      this.#consumer = consumer;
      try {
        await run(consumer, signal);
      } catch (error) {
        await consumer.disconnect().catch(() => undefined);
        throw error;
      }
      if (this.#closing.signal.aborted) await consumer.disconnect().catch(() => undefined);
      return { crashed };
    });
  }
}
