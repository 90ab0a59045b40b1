import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { Logger } from 'pino';
import type { QueueDefinition } from '../ports.ts';
import { Confirms } from './confirms.ts';
import { declareTopology } from './topology.ts';

const HEARTBEAT_S = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 10_000;

/** The broker answers in time, or it counts as gone: a starting or overloaded one may leave a question unanswered. */
const within = async <T>(answer: Promise<T>, what: string): Promise<T> => {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`${what}: no answer within ${ANSWER_TIMEOUT_MS} ms`));
  }, ANSWER_TIMEOUT_MS);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * Closes a channel or a connection. amqplib's own promise settles only by the broker's answer, and never once the
 * connection has ended before it; the event comes either way.
 */
export const closed = async (part: Channel | ChannelModel): Promise<void> => {
  const gone = Promise.withResolvers<undefined>();
  part.once('close', () => {
    gone.resolve(undefined);
  });
  await Promise.race([part.close(), gone.promise]);
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
      void connection.close().catch(() => undefined); // it may be closed already
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

  /** Declares a queue once, and again when it was forgotten. */
  declare(definition: QueueDefinition): Promise<void> {
    const known = this.#declared.get(definition.queue);
    if (known !== undefined) return known;
    const channels = {
      channel: this.#setup,
      expendable: () => this.expendable(),
      logger: this.#logger,
    };
    const declaring = within(declareTopology(channels, definition), `declaring ${definition.queue}`);
    this.#declared.set(definition.queue, declaring);
    return declaring;
  }

  /** Declares a queue again before it is used next: what was declared is not as it was. */
  forget(definition: QueueDefinition): void {
    this.#declared.delete(definition.queue);
  }

  /** A channel of its own for one consumer. */
  async channel(): Promise<Channel> {
    const channel = await within(this.#connection.createChannel(), 'opening a channel');
    this.#watch(channel);
    return channel;
  }

  /** Ends the session with a cause, without waiting for the broker. */
  fail(cause: Error): void {
    this.#finish(cause);
  }

  /** Closes the connection. Never rejects. */
  async close(): Promise<void> {
    await within(closed(this.#connection), 'closing').catch(() => undefined); // it may be closed already
    this.#finish(new Error('the session was closed'));
  }

  /** A channel that may be closed (`closed`), by the broker too, without ending anything else. */
  async expendable(): Promise<Channel> {
    const channel = await this.#connection.createChannel();
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
    void this.#connection.close().catch(() => undefined); // it may be closed already
  }
}
