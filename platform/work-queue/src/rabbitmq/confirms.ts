import type { ConfirmChannel, Options } from 'amqplib';
import { PublishError } from '../ports.ts';

/** One message and where it goes. */
export interface Outgoing {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly messageId: string;
  readonly properties: Options.Publish;
}

const NACKED = 'message nacked'; // the only sign by which amqplib tells a nack from a lost channel

/** Publishes on one channel and tells the fate of every message. */
export class Confirms {
  readonly #channel: ConfirmChannel;
  /** Returned and not yet confirmed, by message id: a broker confirms an unroutable message right after its return. */
  readonly #returned = new Map<string, number>();

  constructor(channel: ConfirmChannel) {
    this.#channel = channel;
    channel.on('return', (message) => {
      const id = String(message.properties.messageId);
      this.#returned.set(id, (this.#returned.get(id) ?? 0) + 1);
    });
  }

  /** Resolves when the broker has stored the message; rejects with PublishError. */
  publish(outgoing: Outgoing, deadlineMs: number): Promise<void> {
    const { messageId } = outgoing;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new PublishError('unconfirmed', messageId));
      }, deadlineMs);
      const settle = (error: unknown): void => {
        clearTimeout(timer);
        if (this.#wasReturned(messageId)) reject(new PublishError('unroutable', messageId));
        else if (error instanceof Error) {
          reject(new PublishError(error.message === NACKED ? 'refused' : 'unconfirmed', messageId, error));
        } else resolve();
      };
      // Persistent: survives the broker. Mandatory: a message without a queue comes back instead of vanishing.
      const options: Options.Publish = {
        ...outgoing.properties,
        messageId,
        persistent: true,
        mandatory: true,
      };
      try {
        this.#channel.publish(outgoing.exchange, outgoing.routingKey, outgoing.body, options, settle);
      } catch (error) {
        clearTimeout(timer);
        // amqplib encodes headers before anything is written: what is not about the channel is about the message.
        const isOffline = error instanceof Error && error.name === 'IllegalOperationError';
        const reason = isOffline ? 'disconnected' : 'unsendable';
        reject(new PublishError(reason, messageId, error));
      }
    });
  }

  #wasReturned(messageId: string): boolean {
    const count = this.#returned.get(messageId);
    if (count === undefined) return false;
    if (count === 1) this.#returned.delete(messageId);
    else this.#returned.set(messageId, count - 1);
    return true;
  }
}
