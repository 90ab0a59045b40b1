/** What the work queue promises, whatever it runs on. RabbitMQ and the in-memory double pass one feature suite. */
import type { DeadLetterStore, Verdict } from '@parley/delivery';

/** Names of one queue and what belongs to it. Everything is durable; queues are quorum queues. */
export interface QueueDefinition {
  readonly exchange: string;
  readonly queue: string;
  readonly routingKey: string;
  readonly deadLetterExchange: string;
  readonly deadLetterQueue: string;
  /**
   * Dead letters that are kept for a look. At the bound the dead-letter queue refuses further ones; the messages stay in
   * the queue, held by its consumers (`heldMsMax`), until there is room: RabbitMQ takes letters again once it is down to
   * four fifths of the bound. Default 10,000.
   */
  readonly deadLettersMax?: number;
}

/** A message to be worked on once or more, by one consumer at a time. */
export interface OutgoingMessage {
  /** The same for every repetition: consumers recognise a duplicate by it. */
  readonly messageId: string;
  readonly type: string;
  readonly body: Buffer;
  readonly correlationId: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A message as a consumer gets it. */
export interface IncomingMessage {
  /** Empty when the publisher gave none. */
  readonly messageId: string;
  readonly type: string;
  readonly body: Buffer;
  /** Empty when the publisher gave none. */
  readonly correlationId: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** True when it was delivered before, to this or another consumer. */
  readonly redelivered: boolean;
  /** 1 for the first call of `handle` with this delivery. */
  readonly attempt: number;
}

export type PublishErrorReason =
  /** No queue is bound to the routing key: someone has removed it. It is declared again for the next message. Retryable. */
  | 'unroutable'
  /** Not connected to the broker. Retryable. */
  | 'disconnected'
  /** The broker did not take it, for example as the queue is full. Retryable. */
  | 'refused'
  /** No confirm in time or the connection broke meanwhile; it may be in the queue. Publishing it again is safe. */
  | 'unconfirmed'
  /** Its headers are larger than a frame takes, or cannot be encoded. Not retryable. */
  | 'unsendable'
  /** Too many messages wait for their confirm. Retryable. */
  | 'overloaded'
  /** The work queue was closed. Not retryable. */
  | 'closed';

/** Why a message is not known to be in its queue. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  readonly reason: PublishErrorReason;
  readonly retryable: boolean;
  readonly messageId: string;

  constructor(reason: PublishErrorReason, messageId: string, cause?: unknown) {
    super(`message ${messageId} was not confirmed: ${reason}`, { cause });
    this.reason = reason;
    this.retryable = reason !== 'unsendable' && reason !== 'closed';
    this.messageId = messageId;
  }
}

export interface Publisher {
  /**
   * Resolves once the broker has confirmed that the message is stored in a queue; rejects with PublishError otherwise.
   * Does not retry by itself. Messages published concurrently may be stored in any order.
   */
  publish(message: OutgoingMessage, options?: { readonly deadlineMs?: number }): Promise<void>;
}

/** What people see of a queue's dead letters, and may make of them. */
export interface LetterRules {
  /** What a message is about, such as an order, as far as its body says so. Default: its message id. */
  readonly subjectOf?: (body: Buffer) => string | undefined;
  /** Why a body that somebody has edited is none of this queue; undefined when it is one. Default: any JSON is one. */
  readonly problemOf?: (body: Buffer) => string | undefined;
}

export interface ConsumerOptions {
  readonly letters?: LetterRules;
  /** How many unacknowledged messages this consumer holds at most. Default 16. */
  readonly prefetch?: number;
  /**
   * Works on one message; up to `prefetch` run concurrently. The message is acknowledged after it resolves with `done`.
   * When it rejects, it is called again with growing pauses while the message is held, `attempts` times in all, those
   * that answer `not-yet` not counted: such a message is worked on again by the consumer that gets it once it was held
   * for long enough (`heldMsMax`), as often as the queue's delivery limit says. A dead letter keeps body, properties and
   * headers, and gets x-error-reason, x-error-class, x-error-message, x-error-attempts and x-error-time. May see a
   * message more than once.
   */
  readonly handle: (message: IncomingMessage, context: { readonly signal: AbortSignal }) => Promise<Verdict>;
  /** Calls of `handle` per delivery that count. Default 3. */
  readonly attempts?: number;
  /** Pause after the first failed attempt, doubled after each further one. Default 200 ms. */
  readonly retryDelayMs?: number;
  /**
   * How long a message is held before it alone is given back, to be held again: when `handle` has to wait
   * (`not-yet`), or when it is dead and there is no room for dead letters. A call of `handle` is not cut short. Each return
   * counts towards the queue's delivery limit of 20; beyond it the broker makes the dead letter, without a reason of ours,
   * keeps it in the queue until there is room for it, and `health` no longer counts it. Default 20 minutes, before
   * RabbitMQ would give back everything that the consumer holds (30 minutes).
   */
  readonly heldMsMax?: number;
}

export interface WorkQueueHealth {
  readonly ready: boolean;
  /** One sentence: what is awaited. A work queue that is ready may await room for dead letters. */
  readonly waitingFor: string | undefined;
}

/** The connection of one process to the broker. */
export interface WorkQueue {
  /** Those of the queues that are consumed here. */
  readonly deadLetters: DeadLetterStore;
  /** Declares the queue, on every connection, before the first message. */
  publisher(definition: QueueDefinition): Publisher;
  /** Declares the queue and consumes from it, again after every reconnect, until closed. */
  consume(definition: QueueDefinition, options: ConsumerOptions): void;
  /** Ready: connected, queues declared, consumers registered. */
  health(): WorkQueueHealth;
  /** Resolves when ready; rejects when aborted. */
  ready(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Takes no further messages, lets handlers and confirms under way finish within the deadline, disconnects. Idempotent. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}
