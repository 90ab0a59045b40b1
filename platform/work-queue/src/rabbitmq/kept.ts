import type { Message } from 'amqplib';

/** What a dead letter keeps of the original besides its body. */
interface Kept {
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly type?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly appId?: string;
  readonly replyTo?: string;
  readonly timestamp?: number;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/** All but `expiration`, which would end the dead letter, and `userId`, which the broker takes from its sender only. */
const KEPT = [
  'messageId',
  'correlationId',
  'type',
  'contentType',
  'contentEncoding',
  'appId',
  'replyTo',
  'timestamp',
  'headers',
] as const;

/** Of a message as it was received. */
export const kept = ({ properties }: Pick<Message, 'properties'>): Kept => {
  const entries = KEPT.map((key) => [key, properties[key] as unknown] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)); // as the publisher sent them
};
