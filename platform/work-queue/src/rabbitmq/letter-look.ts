/**
 * Looks at the letters of a queue. A quorum queue can only be looked at by taking messages and giving them back: what a look
 * has taken it holds until its channel is closed, and nobody else sees meanwhile.
 */
import type { Channel, ConsumeMessage } from 'amqplib';
import { close } from './close.ts';
import type { Session } from './session.ts';

/** As many as AMQP can say; a consumer without a number would be handed 2,000. */
const PREFETCH_MAX = 65_535;
/** Of the letters that a look holds; beyond it they stay with the broker, and are looked for again. */
const HELD_BYTES_MAX = 16_777_216;
/** Without an answer or a letter: the answer comes behind all the letters that are taken. */
const SILENCE_MS_MAX = 30_000;

/**
 * Hands over every message of a queue, oldest first and up to so many, as fast as the broker sends them. They are
 * given back when the channel is closed.
 */
export const takeAll = async (
  session: Pick<Session, 'answered'>,
  channel: Channel,
  { queue, max }: { readonly queue: string; readonly max: number },
  onMessage: (message: ConsumeMessage) => void,
): Promise<void> => {
  const answered = <T>(answer: Promise<T>): Promise<T> =>
    session.answered(answer, `looking at ${queue}`, { limitMs: SILENCE_MS_MAX, heardAtMs: () => heardAtMs });
  let heardAtMs = performance.now();
  let taken = 0;
  const take = (message: ConsumeMessage | null): void => {
    if (message === null) return; // the queue was removed
    taken += 1;
    heardAtMs = performance.now();
    onMessage(message);
  };
  await answered(channel.prefetch(Math.min(max, PREFETCH_MAX)));
  const { consumerTag } = await answered(channel.consume(queue, take, { noAck: false }));
  // The broker answers that nothing waits once the consumer was handed what did.
  while (taken < max) {
    const message = await answered(channel.get(queue, { noAck: false }));
    if (message === false) break;
    take(message as unknown as ConsumeMessage); // of which nothing is asked for that it has not
  }
  await answered(channel.cancel(consumerTag));
};

/** Gives back what a look has taken. Never rejects. */
export const giveBack = (session: Pick<Session, 'answered'>, channel: Channel): Promise<void> =>
  session.answered(close(channel), 'ending a look', { limitMs: SILENCE_MS_MAX }).catch(() => undefined); // the session has ended then

/** The letters of one queue, by their ids, for as long as it is open. */
export class LetterLook {
  readonly session: Session;
  readonly channel: Channel;
  readonly queue: string;
  readonly #messages: Map<string, ConsumeMessage>;
  #isClosed = false;

  private constructor(
    { session, channel, queue }: Pick<LetterLook, 'session' | 'channel' | 'queue'>,
    messages: Map<string, ConsumeMessage>,
  ) {
    this.session = session;
    this.channel = channel;
    this.queue = queue;
    this.#messages = messages;
    channel.once('close', () => {
      this.#isClosed = true;
    });
  }

  /** Takes all; of large ones only as many as it may hold, and the one that is wanted. */
  static async open(
    session: Session,
    of: {
      readonly queue: string;
      readonly max: number;
      readonly idOf: (message: ConsumeMessage) => string;
      readonly wanted: string;
    },
  ): Promise<LetterLook> {
    const channel = await session.expendable();
    const messages = new Map<string, ConsumeMessage>();
    let bytes = 0;
    try {
      await takeAll(session, channel, of, (message) => {
        const id = of.idOf(message);
        const { length } = message.content;
        if (messages.has(id) || (id !== of.wanted && bytes + length > HELD_BYTES_MAX)) return;
        messages.set(id, message);
        bytes += length;
      });
    } catch (error) {
      await giveBack(session, channel);
      throw error;
    }
    return new LetterLook({ session, channel, queue: of.queue }, messages);
  }

  get isOpen(): boolean {
    return !this.#isClosed && !this.session.signal.aborted;
  }

  /** Undefined when it is not held, as it is settled, has come later, or is too large. */
  find(id: string): ConsumeMessage | undefined {
    return this.#messages.get(id);
  }

  /** Removes a letter from its queue. */
  settle(id: string, message: ConsumeMessage): void {
    this.channel.ack(message);
    this.#messages.delete(id);
  }

  /** Gives back what is left. Never rejects. */
  async close(): Promise<void> {
    if (!this.isOpen) return;
    this.#isClosed = true;
    await giveBack(this.session, this.channel);
  }
}
