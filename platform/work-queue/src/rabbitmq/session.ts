import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { QueueDefinition } from '../ports.ts';
import { close } from './close.ts';
import { Confirms } from './confirms.ts';
import { declareTopology } from './topology.ts';

const HEARTBEAT_S = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 10_000;

/** What the broker has not answered in time. */
class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** How long an answer is waited for. */
interface Limit {
  readonly limitMs?: number;
  /** When the broker was heard last, by `performance.now`: the limit is one of silence then. */
  readonly heardAtMs?: () => number;
}

/**
 * The broker answers in time, or it counts as gone: a starting, frozen or overloaded one may leave a question unanswered.
 * Rejects at once when `ended` aborts: amqplib forgets some of those who wait when a connection ends.
 */
export const within = async <T>(
  answer: Promise<T>,
  what: string,
  { limitMs = ANSWER_TIMEOUT_MS, heardAtMs, ended }: Limit & { readonly ended?: AbortSignal } = {},
): Promise<T> => {
  const late = Promise.withResolvers<never>();
  const startedAtMs = performance.now();
  const onTime = (): void => {
    const leftMs = Math.max(heardAtMs?.() ?? 0, startedAtMs) + limitMs - performance.now();
    if (leftMs > 0) timer = setTimeout(onTime, leftMs);
    else late.reject(new Unanswered(`${what}: no answer within ${limitMs} ms`));
  };
  let timer = setTimeout(onTime, limitMs);
  const onEnded = (): void => {
    late.reject(ended?.reason);
  };
  if (ended?.aborted === true) onEnded();
  ended?.addEventListener('abort', onEnded, { once: true });
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
    ended?.removeEventListener('abort', onEnded);
  }
};

/** Ends a connection: in time, or by cutting its socket, of which the broker is told nothing. Never rejects. */
const end = async (connection: ChannelModel, limitMs = ANSWER_TIMEOUT_MS): Promise<void> => {
  await within(close(connection), 'closing', { limitMs }).catch(() => {
    const { stream } = connection.connection as unknown as { stream: Socket }; // amqplib does not type it
    stream.destroy();
  });
};

/**
 * One connection and its channels. A connection or channel that fails ends the session as a whole; the work queue
 * then opens the next one. Nothing of a session outlives it, so nothing can act on a stale channel.
 */
export class Session {
  readonly #connection: ChannelModel;
  readonly #setup: Channel;
  readonly #logger: Logger;
  readonly #declared = new Map<string, Promise<void>>();
  readonly #end = Promise.withResolvers<Error>();
  readonly #abort = new AbortController();
  #ending: Promise<void> | undefined;
  readonly confirms: Confirms;
  /** Aborts when the session has ended: what it delivered is no longer held. */
  readonly signal = this.#abort.signal;
  /** Resolves with the cause when the session has ended. */
  readonly ended: Promise<Error> = this.#end.promise;

  private constructor(
    connection: ChannelModel,
    parts: { readonly setup: Channel; readonly confirms: Confirms; readonly logger: Logger },
  ) {
    this.#connection = connection;
    this.#setup = parts.setup;
    this.#logger = parts.logger;
    this.confirms = parts.confirms;
  }

  /** Connects; rejects when the broker cannot be reached or does not answer in time. */
  static async open({ url, name, logger }: { url: string; name: string; logger: Logger }): Promise<Session> {
    const separator = url.includes('?') ? '&' : '?';
    const connection = await connect(`${url}${separator}heartbeat=${HEARTBEAT_S}`, {
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: name },
    });
    const broken = Promise.withResolvers<never>();
    // Listened to from the first moment: a connection that a starting broker drops again would be waited for in vain.
    connection.on('error', broken.reject);
    connection.on('close', (error?: Error) => {
      broken.reject(error ?? new Error('the broker closed the connection'));
    });
    broken.promise.catch(() => undefined); // it is only raced
    const opening = Session.#channels(connection, logger);
    opening.catch(() => undefined); // it may lose the race
    try {
      return await within(Promise.race([opening, broken.promise]), 'opening channels');
    } catch (error) {
      void end(connection);
      throw error;
    }
  }

  static async #channels(connection: ChannelModel, logger: Logger): Promise<Session> {
    const setup = await connection.createChannel();
    const publishing = await connection.createConfirmChannel();
    const session = new Session(connection, { setup, confirms: new Confirms(publishing), logger });
    session.#watch(connection);
    session.#watch(setup);
    session.#watch(publishing);
    return session;
  }

  /** Declares a queue once, and again when that failed or it was forgotten. */
  declare(definition: QueueDefinition): Promise<void> {
    const known = this.#declared.get(definition.queue);
    if (known !== undefined) return known;
    const channels = {
      channel: this.#setup,
      expendable: () => this.expendable(),
      logger: this.#logger,
    };
    const declaring = this.answered(declareTopology(channels, definition), `declaring ${definition.queue}`);
    this.#declared.set(definition.queue, declaring);
    declaring.catch(() => {
      this.forget(definition);
    });
    return declaring;
  }

  /** Declares a queue again before it is used next: what was declared is not as it was. */
  forget(definition: QueueDefinition): void {
    this.#declared.delete(definition.queue);
  }

  /** A channel of its own for one consumer. */
  async channel(): Promise<Channel> {
    const channel = await this.answered(this.#connection.createChannel(), 'opening a channel');
    this.#watch(channel);
    return channel;
  }

  /** What the broker is asked: it answers in time, or counts as gone, and the session ends. Rejects once that has ended. */
  async answered<T>(answer: Promise<T>, what: string, limit: Limit = {}): Promise<T> {
    try {
      return await within(answer, what, { ...limit, ended: this.signal });
    } catch (error) {
      if (error instanceof Unanswered) this.fail(error);
      throw error;
    }
  }

  /** Ends the session with a cause, without waiting for the broker. */
  fail(cause: Error): void {
    this.#finish(cause);
  }

  /** Closes the connection, within the deadline. Never rejects. */
  async close(deadlineMs?: number): Promise<void> {
    this.#ending ??= end(this.#connection, deadlineMs);
    const limit = deadlineMs === undefined ? {} : { limitMs: deadlineMs };
    await within(this.#ending, 'closing', limit).catch(() => undefined); // one that began earlier may wait longer
    this.#finish(new Error('the session was closed'));
  }

  /** A channel that may be closed, by the broker too, without ending anything else. */
  async expendable(): Promise<Channel> {
    const channel = await this.answered(this.#connection.createChannel(), 'opening a channel');
    channel.on('error', () => undefined); // whoever uses it learns of it by the rejection
    return channel;
  }

  #watch(part: Channel | ChannelModel): void {
    let cause: Error | undefined;
    part.on('error', (error: Error) => {
      cause = error;
    });
    part.on('close', (error?: Error) => {
      this.#finish(cause ?? error ?? new Error('the broker closed the connection'));
    });
  }

  #finish(cause: Error): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(cause);
    this.#end.resolve(cause);
    this.#ending ??= end(this.#connection);
  }
}
