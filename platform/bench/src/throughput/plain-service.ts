/**
 * One process of the rival: a service as it is written without Parley. kafkajs `eachMessage`, one awaited send (`acks: -1`)
 * for each event, no arbitration, no duplicates told, no traces, no policies. Partitions are consumed side by side, as
 * somebody who looked for more than kafkajs' default would have it. Ends when its parent disconnects.
 */
import { randomUUID } from 'node:crypto';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { ServiceName } from '@parley/contracts/endpoints';
import { connect } from 'amqplib';
import kafkajs from 'kafkajs';
import { plainRecord, readPlain, type PlainData, type PlainEvent } from './plain-event.ts';
import { PLAIN_QUEUE, plainTopic } from './plain-names.ts';

/** What the parent says: first where things are, then where the peers are. */
export interface PlainStart {
  readonly service: ServiceName;
  readonly bootstrap: string;
  readonly amqp: string;
}
export type PlainPeers = Readonly<Partial<Record<ServiceName, readonly string[]>>>;
/** What it answers: its address, then that it works. */
export type PlainAnswer = { readonly url: string } | { readonly ready: true };

const PARTITIONS = 4;
const PREFETCH = 16; // as Parley's consumer has it
const HOLD_MS = 900_000;
const PRICE_MINOR = 1_990;
const CURRENCY = 'EUR';

type Cause = ReturnType<typeof readPlain>;
type Handler = (body: PlainData) => Promise<PlainData>;

const start = JSON.parse(process.argv[2] ?? '{}') as PlainStart;
const { service } = start;
const kafka = new kafkajs.Kafka({ brokers: start.bootstrap.split(','), logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  allowAutoTopicCreation: false,
});
const agent = new Agent({ keepAlive: true });
let peers: PlainPeers = {};
let turn = 0;

const send = async (streamId: string, event: PlainEvent, cause?: Cause): Promise<void> => {
  const correlationId = cause?.correlationId ?? randomUUID();
  const of = { service, correlationId, ...(cause === undefined ? {} : { causationId: cause.id }) };
  await producer.send({ topic: plainTopic(service), acks: -1, messages: [plainRecord(streamId, event, of)] });
};

/** Asks the peer's next instance in turn. */
const call = async (peer: ServiceName, path: string, body: PlainData): Promise<PlainData> => {
  const urls = peers[peer] ?? [];
  const url = urls[turn++ % urls.length] ?? '';
  const answered = Promise.withResolvers<PlainData>();
  const sent = request(`${url}${path}`, {
    method: 'POST',
    agent,
    headers: { 'content-type': 'application/json' },
  });
  sent.once('response', (response) => {
    json(response).then(answered.resolve as (value: unknown) => void, answered.reject);
  });
  sent.once('error', answered.reject);
  sent.end(JSON.stringify(body));
  return answered.promise;
};

const consume = async (of: ServiceName, type: string, handle: (event: Cause) => Promise<void>) => {
  const consumer = kafka.consumer({ groupId: `plain-${service}-${of}`, allowAutoTopicCreation: false });
  const joined = new Promise<void>((resolve) => {
    consumer.on('consumer.group_join', () => {
      resolve();
    });
  });
  await consumer.connect();
  await consumer.subscribe({ topic: plainTopic(of) });
  await consumer.run({
    partitionsConsumedConcurrently: PARTITIONS,
    eachMessage: async ({ message }) => {
      if (String(message.headers?.ce_type) === type) await handle(readPlain(message));
    },
  });
  await joined;
};

const now = Date.now;
const placeOrder: Handler = async ({ productId = '', quantity = 1 }) => {
  const orderId = randomUUID();
  const streamId = `order-${orderId}`;
  const customerId = 'bench-customer';
  const created = {
    orderId,
    customerId,
    productId,
    quantity,
    createdAt: now(),
    channel: 'WEB',
    dispatchBy: 0,
  };
  await send(streamId, { type: 'OrderCreated', data: created });
  const { expiresAt = 0 } = await call('product', '/reserve', { orderId, productId, quantity });
  const amount = { unitPriceMinor: PRICE_MINOR, amountMinor: PRICE_MINOR, currency: CURRENCY };
  const started = { orderId, ...amount, reservedUntil: expiresAt, startedAt: now() };
  await send(streamId, { type: 'PaymentStarted', data: started });
  const asked = { orderId, customerId, amountMinor: PRICE_MINOR, currency: CURRENCY };
  const { paymentId = '' } = await call('payment', '/payments', asked);
  await send(streamId, { type: 'OrderPaid', data: { orderId, paymentId, paidAt: now() } });
  return { orderId };
};

const reserve: Handler = async ({ orderId = '', productId = '', quantity = 1 }) => {
  const expiresAt = now() + HOLD_MS;
  const terms = { unitPriceMinor: PRICE_MINOR, currency: CURRENCY, reservedAt: now(), expiresAt };
  await send(`product-${productId}`, {
    type: 'StockReserved',
    data: { productId, orderId, quantity, ...terms },
  });
  held.set(String(orderId), String(productId));
  return { expiresAt };
};
/** Which product the orders under way have, as product's own read model knows. */
const held = new Map<string, string>();

const pay: Handler = async (asked) => {
  const paymentId = randomUUID();
  const streamId = `payment-${asked.orderId ?? ''}`;
  const data = { paymentId, ...asked };
  await send(streamId, { type: 'PaymentInitiated', data: { ...data, initiatedAt: now() } });
  await send(streamId, { type: 'PaymentCompleted', data: { ...data, completedAt: now() } });
  return { paymentId };
};

const commitStock = async (event: Cause): Promise<void> => {
  const { orderId = '' } = event.data;
  const productId = held.get(String(orderId)) ?? 'wool-door-stop'; // the hold is another instance's
  held.delete(String(orderId));
  const data = { productId, orderId, quantity: 1, committedAt: now() };
  await send(`product-${productId}`, { type: 'StockCommitted', data }, event);
};

const ship = async (event: Cause): Promise<void> => {
  const { orderId = '', shipmentId = '', carrier = '', trackingNumber = '' } = event.data;
  const data = { orderId, shipmentId, carrier, trackingNumber, shippedAt: now() };
  await send(`order-${orderId}`, { type: 'OrderShipped', data }, event);
};

const openQueue = async () => {
  const channel = await (await connect(start.amqp)).createConfirmChannel();
  await channel.prefetch(PREFETCH);
  return channel;
};
type Queue = Awaited<ReturnType<typeof openQueue>>;

const notify =
  (queue: Queue) =>
  async (event: Cause): Promise<void> => {
    const { orderId = '', customerId = '', paymentId = '' } = event.data;
    const notificationId = randomUUID();
    const message = `The payment for order ${orderId} was received. The order is being prepared for shipping.`;
    const told = { type: 'PAYMENT_COMPLETED', channel: 'EMAIL', message, sentAt: now() };
    const data = { notificationId, orderId, customerId, paymentId, ...told };
    await send(`notification-${orderId}`, { type: 'NotificationSent', data }, event);
    const asked = {
      requestId: randomUUID(),
      orderId,
      customerId,
      paymentId,
      notificationId,
      requestedAt: now(),
    };
    const confirmed = Promise.withResolvers<undefined>();
    queue.sendToQueue(
      PLAIN_QUEUE,
      Buffer.from(JSON.stringify(asked)),
      { persistent: true, messageId: asked.requestId, correlationId: event.correlationId },
      (error: unknown) => {
        if (error === null || error === undefined) confirmed.resolve(undefined);
        else confirmed.reject(error);
      },
    );
    await confirmed.promise;
  };

const dispatch = async (queue: Queue): Promise<void> => {
  await queue.consume(PLAIN_QUEUE, (message) => {
    if (message === null) throw new Error('the queue is gone');
    const {
      orderId = '',
      customerId = '',
      requestId = '',
    } = JSON.parse(message.content.toString()) as PlainData;
    const parcel = {
      carrier: 'Parley Post',
      trackingNumber: `PP${String(requestId).replaceAll('-', '').slice(16).toUpperCase()}`,
    };
    const data = { shipmentId: randomUUID(), orderId, customerId, ...parcel, dispatchedAt: now() };
    send(`shipment-${orderId}`, { type: 'ShipmentDispatched', data }).then(() => {
      queue.ack(message);
    }, failed);
  });
};

const failed = (error: unknown): void => {
  process.stderr.write(`plain ${service}: ${String(error)}\n`);
  process.exit(1);
};

const handlers: Readonly<Record<string, Handler>> = {
  '/api/v1/orders': placeOrder,
  '/reserve': reserve,
  '/payments': pay,
};

const listen = async (): Promise<string> => {
  // Kept open while the other side runs: a caller that is late would write to one that is being closed.
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    const handle = handlers[incoming.url ?? ''];
    if (handle === undefined) throw new Error(`there is no ${incoming.url ?? ''}`);
    json(incoming)
      .then((body) => handle(body as PlainData))
      .then((answer) => {
        outgoing.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      })
      .catch(failed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const work: Readonly<Record<ServiceName, () => Promise<void>>> = {
  order: () => consume('shipping', 'ShipmentDispatched', ship),
  product: () => consume('order', 'OrderPaid', commitStock),
  payment: () => Promise.resolve(),
  notification: async () => consume('payment', 'PaymentCompleted', notify(await openQueue())),
  shipping: async () => dispatch(await openQueue()),
};

process.on('disconnect', () => process.exit());
const answer = (what: PlainAnswer): void => {
  process.send?.(what);
};
process.on('message', (given: PlainPeers) => {
  peers = given;
  work[service]().then(() => {
    answer({ ready: true });
  }, failed);
});
await producer.connect();
answer({ url: await listen() });
