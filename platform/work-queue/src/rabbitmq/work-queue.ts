import { setTimeout as pause } from 'node:timers/promises';
import type { AsyncHops } from '@parley/delivery';
import type { Logger } from 'pino';
import {
  type ConsumerOptions,
  type OutgoingMessage,
  PublishError,
  type Publisher,
  type QueueDefinition,
  type WorkQueue,
  type WorkQueueHealth,
} from '../ports.ts';
import { producing } from '../spans.ts';
import { Consumer } from './consumer.ts';
import { RabbitLetters } from './letter-store.ts';
import { Session, within } from './session.ts';

const MAX_IN_FLIGHT = 1_024;
const CONFIRM_DEADLINE_MS = 5_000;
const CLOSE_DEADLINE_MS = 5_000;
const FIRST_PAUSE_MS = 200;
/** For the acknowledgements that were written last. */
const CLOSE_MS_MIN = 500;
const MAX_PAUSE_MS = 2_000;
const POLL_MS = 20;

export interface WorkQueueOptions {
  /** amqp:// or amqps:// */
  readonly url: string;
  readonly logger: Logger;
  /** Names the connection in the broker's own tools. */
  readonly name: string;
  /** Default: child. */
  readonly asyncHops?: AsyncHops;
  /** Messages that may wait for their confirm. Default 1024. */
  readonly maxInFlight?: number;
}

class RabbitWorkQueue implements WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #broker: string;
  readonly #definitions = new Map<string, QueueDefinition>();
  readonly #consumers: Consumer[] = [];
  readonly #closing = new AbortController();
  readonly #connecting: Promise<void>;
  readonly deadLetters = new RabbitLetters({
    sources: () => this.#consumers.map(({ letterSource }) => letterSource),
    session: () => this.#session,
  });
  #session: Session | undefined;
  #problem: string | undefined;
  #inFlight = 0;
  #closed: Promise<void> | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#broker = new URL(options.url).host; // without the credentials
    this.#connecting = this.#keepConnected();
  }

  publisher(definition: QueueDefinition): Publisher {
    this.#define(definition);
    return {
      publish: (message, { deadlineMs = CONFIRM_DEADLINE_MS } = {}) =>
        producing(definition, message, (headers) =>
          this.#publish(definition, { ...message, headers }, deadlineMs),
        ),
    };
  }

  consume(definition: QueueDefinition, options: ConsumerOptions): void {
    this.#define(definition);
    const hops = this.#options.asyncHops ?? 'child';
    const consumer = new Consumer(definition, options, { logger: this.#options.logger, hops });
    this.#consumers.push(consumer);
    const session = this.#session;
    if (session !== undefined) this.#orFail(session, this.#attach(session, consumer));
  }

  health(): WorkQueueHealth {
    if (this.#isClosing()) return { ready: false, waitingFor: 'nothing: it is closed' };
    if (this.#session === undefined) {
      const why = this.#problem === undefined ? '' : ` (${this.#problem})`;
      return { ready: false, waitingFor: `the broker at ${this.#broker}${why}` };
    }
    const idle = this.#consumers.find((consumer) => !consumer.active);
    if (idle !== undefined) return { ready: false, waitingFor: `the consumer of ${idle.definition.queue}` };
    // Still ready: no other instance would find more room, and what is not dead is worked on while a place is left.
    const full = this.#consumers.find((consumer) => consumer.awaitedRoom !== undefined);
    return { ready: true, waitingFor: full?.awaitedRoom };
  }

  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    while (!this.health().ready) {
      options.signal?.throwIfAborted();
      this.#closing.signal.throwIfAborted();
      await pause(POLL_MS);
    }
  }

  close(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(options.deadlineMs ?? CLOSE_DEADLINE_MS);
    return this.#closed;
  }

  async #close(deadlineMs: number): Promise<void> {
    const endAtMs = performance.now() + deadlineMs;
    this.#closing.abort(new Error('the work queue is closed'));
    await Promise.all(this.#consumers.map((consumer) => consumer.stop(deadlineMs)));
    while (this.#inFlight > 0 && performance.now() < endAtMs) await pause(POLL_MS);
    await this.#session?.close(Math.max(endAtMs - performance.now(), CLOSE_MS_MIN));
    await Promise.race([
      this.#connecting,
      pause(Math.max(endAtMs - performance.now(), 1), undefined, { ref: false }),
    ]);
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  #define(definition: QueueDefinition): void {
    this.#definitions.set(definition.queue, definition);
    const session = this.#session;
    if (session !== undefined) this.#orFail(session, session.declare(definition));
  }

  #orFail(session: Session, step: Promise<void>): void {
    step.catch((error: unknown) => {
      session.fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  async #attach(session: Session, consumer: Consumer): Promise<void> {
    await session.declare(consumer.definition);
    await consumer.attach(session);
  }

  async #publish(definition: QueueDefinition, message: OutgoingMessage, deadlineMs: number): Promise<void> {
    const { messageId, correlationId, type, body, headers } = message;
    if (this.#isClosing()) throw new PublishError('closed', messageId);
    if (this.#session === undefined) throw new PublishError('disconnected', messageId);
    if (this.#inFlight >= (this.#options.maxInFlight ?? MAX_IN_FLIGHT))
      throw new PublishError('overloaded', messageId);
    const session = this.#session;
    const endAtMs = performance.now() + deadlineMs;
    this.#inFlight += 1;
    try {
      await this.#declared(session, definition, { messageId, deadlineMs });
      const properties = {
        correlationId,
        type,
        contentType: message.contentType ?? 'application/json',
        timestamp: Math.floor(Date.now() / 1000),
        headers,
      };
      const { exchange, routingKey } = definition;
      const leftMs = Math.max(endAtMs - performance.now(), 1);
      await session.confirms.publish({ exchange, routingKey, body, messageId, properties }, leftMs);
    } catch (error) {
      // Someone has removed the queue or its binding. Nothing else would bring it back while the connection lives.
      if (error instanceof PublishError && error.reason === 'unroutable') session.forget(definition);
      throw error;
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Publishing to an exchange that is not declared would close the channel. */
  async #declared(
    session: Session,
    definition: QueueDefinition,
    { messageId, deadlineMs }: { readonly messageId: string; readonly deadlineMs: number },
  ): Promise<void> {
    try {
      await within(session.declare(definition), `declaring ${definition.queue}`, { limitMs: deadlineMs });
    } catch (error) {
      throw new PublishError('disconnected', messageId, error);
    }
  }

  /** Opens session after session, with growing pauses, until closed. Never rejects. */
  async #keepConnected(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#isClosing()) {
      try {
        const session = await Session.open(this.#options);
        this.#orFail(session, this.#equip(session));
        const cause = await session.ended;
        if (this.#session === session) pauseMs = FIRST_PAUSE_MS; // it had been usable
        this.#session = undefined;
        this.#problem = cause.message;
      } catch (error) {
        this.#problem = error instanceof Error ? error.message : String(error);
      }
      if (this.#isClosing()) return;
      this.#options.logger.warn(
        { broker: this.#broker, reason: this.#problem, pauseMs },
        'the broker is awaited',
      );
      await pause(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined); // closing ends it
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
  }

  /** Declares and consumes; the session is usable, and publishers see it, once its queues are declared. */
  async #equip(session: Session): Promise<void> {
    for (const definition of this.#definitions.values()) await session.declare(definition);
    if (session.signal.aborted) return;
    this.#session = session;
    if (this.#isClosing()) {
      await session.close();
      return;
    }
    this.#options.logger.info({ broker: this.#broker }, 'connected to the broker');
    await Promise.all(this.#consumers.map((consumer) => this.#attach(session, consumer)));
  }
}

/**
 * Opens the work queue of one process on RabbitMQ. Returns at once and connects in the background, for ever; a broker
 * that is away makes publishes fail with a retryable error and consumers wait.
 */
export const openWorkQueue = (options: WorkQueueOptions): WorkQueue => new RabbitWorkQueue(options);
