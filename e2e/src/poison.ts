import { createHash, randomUUID } from 'node:crypto';
import { eventSchemas } from '@parley/contracts/events';
import { paymentEvents } from '@parley/contracts/topics';
import { deriveId } from '@parley/event-log/testing';
import avsc, { type Schema } from 'avsc';
import kafkajs, { type IHeaders, type KafkaMessage } from 'kafkajs';
import { kafkaOf } from './log.ts';
import type { StackUnderTest } from './stack.ts';

/** Longer than an event that notification would have to write may be: it fails on it as often as it tries. */
const CUSTOMER_ID_BYTES = 805_000;

type Stack = Pick<StackUnderTest, 'endpoints'>;

export interface PoisonedPayment {
  readonly orderId: string;
  readonly partition: number;
  /** Of PaymentCompleted, the event that notification cannot handle. */
  readonly offset: number;
}

const schemaId = async ({ endpoints }: Stack, subject: string): Promise<number> => {
  const response = await fetch(`${endpoints.registry.url}/subjects/${subject}/versions/latest`, {
    signal: AbortSignal.timeout(60_000),
  });
  return ((await response.json()) as { readonly id: number }).id; // the registry's documented answer
};

const commitHeader = (commit: string, index: number, size: number): Buffer => {
  const header = Buffer.alloc(44); // a new stream: base, predecessor and history are zero
  Buffer.from(commit.replaceAll('-', ''), 'hex').copy(header);
  header.writeUInt16BE(index, 36);
  header.writeUInt16BE(size, 38);
  return header;
};

/**
 * Appends the payment of an order that does not exist yet, as a stranger who keeps the rule of the log: accepted by every
 * reader, on the terms that the order will have. Its second event names a customer of 800 kB.
 */
export const appendPoisonedPayment = async (
  stack: Stack,
  order: {
    readonly customerId: string;
    readonly idempotencyKey: string;
    readonly amountMinor: number;
    readonly currency: string;
    readonly traceparent: string;
  },
): Promise<PoisonedPayment> => {
  const { customerId, amountMinor, currency, traceparent } = order;
  const orderId = deriveId('order', customerId, order.idempotencyKey);
  const terms = { paymentId: deriveId('payment', orderId), orderId, amountMinor, currency };
  const nowMs = Date.now();
  const events = [
    { type: 'PaymentInitiated', data: { ...terms, customerId, initiatedAt: nowMs } },
    {
      type: 'PaymentCompleted',
      data: { ...terms, customerId: 'x'.repeat(CUSTOMER_ID_BYTES), completedAt: nowMs },
    },
  ] as const;
  const commit = randomUUID();
  const messages = [];
  for (const [index, { type, data }] of events.entries()) {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(await schemaId(stack, `parley.payment.${type}`), 1);
    const body = avsc.Type.forSchema(eventSchemas.payment[type] as object as Schema).toBuffer(data);
    messages.push({
      key: `payment-${orderId}`,
      value: Buffer.concat([prefix, body]),
      headers: {
        ce_specversion: '1.0',
        ce_id: randomUUID(),
        ce_type: type,
        ce_source: '/parley/e2e',
        ce_time: new Date(nowMs).toISOString(),
        ce_subject: `payment-${orderId}`,
        'correlation-id': randomUUID(),
        traceparent,
        'x-bytes': Buffer.from([0, 255, 128]),
        'parley-commit': commitHeader(commit, index, events.length),
      },
    });
  }
  const producer = kafkaOf(stack).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    const [answer] = await producer.send({ topic: paymentEvents.name, acks: -1, messages });
    if (answer?.baseOffset === undefined) throw new Error('the broker did not name the offset');
    return { orderId, partition: answer.partition, offset: Number(answer.baseOffset) + 1 };
  } finally {
    await producer.disconnect();
  }
};

const headerHash = (headers: IHeaders | undefined, names: readonly string[]): string => {
  const hash = createHash('sha256');
  for (const name of names) {
    const value = headers?.[name];
    hash.update(name).update('\0');
    for (const each of Array.isArray(value) ? value : [value ?? '']) hash.update(each).update('\0');
  }
  return hash.digest('hex');
};

/** SHA-256 of what a record says; headers by these names, in this order. */
export const recordHashes = (
  { key, value, headers }: KafkaMessage,
  names: readonly string[],
): Readonly<Record<'key' | 'value' | 'headers', string>> => ({
  key: createHash('sha256')
    .update(key ?? '')
    .digest('hex'),
  value: createHash('sha256')
    .update(value ?? '')
    .digest('hex'),
  headers: headerHash(headers, names),
});
