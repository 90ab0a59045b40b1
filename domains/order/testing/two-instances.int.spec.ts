/** Two processes of the order service on one log, with product and payment in processes of their own. */
import { setTimeout as pause } from 'node:timers/promises';
import { httpHeaders } from '@parley/contracts/headers';
import type { OrderEvent } from '@parley/contracts/events';
import { OpsProjectionRows, OpsProjections, OrderPage, OrderResource } from '@parley/contracts/rest';
import { orderEvents } from '@parley/contracts/topics';
import { openKafkaLog } from '@parley/event-log';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startService, type ServiceProcess } from './processes.ts';

const RACES = 20;
const ORDERS_AT_KILL = 20;
const SETTLE_MS_MAX = 240_000;
const AGAIN_MS = 100;
const PRODUCT = 'the-clockmaker';

let engines: TestEngines;
let product: ServiceProcess;
let payment: ServiceProcess;
let one: ServiceProcess;
let two: ServiceProcess;
const running: (() => Promise<void>)[] = [];

const start = (
  service: Parameters<typeof startService>[0],
  instance: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> =>
  startService(service, instance, { engines, env, spawned: (kill) => running.push(kill) });

beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
  [product, payment] = await Promise.all([start('product', 'product-1'), start('payment', 'payment-1')]);
  const env = { PRODUCT_GRPC: product.grpc ?? '', PAYMENT_URL: payment.http };
  [one, two] = (await Promise.all(
    (['order-1', 'order-2'] as const).map((name) => start('order', name, env)),
  )) as [ServiceProcess, ServiceProcess];
});
afterAll(async () => {
  await Promise.all(running.map((kill) => kill()));
  await (engines as TestEngines | undefined)?.stop(); // undefined when they did not start
});

interface Placed {
  readonly status: number;
  readonly order: OrderResource;
  readonly position: string;
}

/** Until the answer is one of these: a client asks again with the same key when the deadline was over, or the log late. */
const ask = async (
  at: ServiceProcess,
  { customer, key, statuses }: { customer: string; key: string; statuses: readonly number[] },
): Promise<Placed> => {
  const endAtMs = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const answer = await fetch(`${at.http}/api/v1/orders`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        [httpHeaders.userId]: customer,
        [httpHeaders.idempotencyKey]: key,
      },
      body: JSON.stringify({ productId: PRODUCT, quantity: 1 }),
    });
    const body: unknown = await answer.json();
    if (statuses.includes(answer.status))
      return {
        status: answer.status,
        order: OrderResource.parse(body),
        position: answer.headers.get(httpHeaders.position) ?? '',
      };
    if (![202, 503, 504].includes(answer.status) || performance.now() > endAtMs)
      throw new Error(`${String(answer.status)}: ${JSON.stringify(body)}`);
    await pause(AGAIN_MS);
  }
};
const place = (at: ServiceProcess, customer: string, key: string): Promise<Placed> =>
  ask(at, { customer, key, statuses: [201, 202] });
const placePaid = (at: ServiceProcess, customer: string, key: string): Promise<Placed> =>
  ask(at, { customer, key, statuses: [201] });

const list = async (at: ServiceProcess, customer: string, atLeast = ''): Promise<OrderPage> => {
  const headers = { [httpHeaders.userId]: customer, ...(atLeast && { [httpHeaders.atLeast]: atLeast }) };
  const answer = await fetch(`${at.http}/api/v1/orders?limit=100`, { headers });
  expect(answer.status).toBe(200);
  return OrderPage.parse(await answer.json());
};

const get = async (at: ServiceProcess, customer: string, placed: Placed): Promise<unknown> => {
  const answer = await fetch(`${at.http}/api/v1/orders/${placed.order.orderId}`, {
    headers: { [httpHeaders.userId]: customer, [httpHeaders.atLeast]: placed.position },
  });
  expect(answer.status).toBe(200);
  return answer.json();
};

/** Accepted events of these orders, by order, read by a process that has nothing to do with either instance. */
const histories = async (orderIds: ReadonlySet<string>) => {
  const log = openKafkaLog({
    service: 'test',
    clientId: 'test',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger: pino({ level: 'silent' }),
  });
  const view = log.project<{ readonly types: readonly string[] }, OrderEvent>({
    name: 'histories',
    topic: orderEvents,
    key: ({ event }) => event.data.orderId,
    fold: (row, { event }) =>
      orderIds.has(event.data.orderId) ? { types: [...(row?.types ?? []), event.type] } : undefined,
  });
  try {
    await log.start();
    const { conflicts, duplicates } = view.progress();
    return { all: view.list({ limit: view.size }).map(({ types }) => types), conflicts, duplicates };
  } finally {
    await log.close();
  }
};

it('one Idempotency-Key sent to both at once is one order with one answer', async () => {
  for (let race = 0; race < RACES; race += 1) {
    const key = `race-${race}`;
    const [a, b, again] = await Promise.all([one, two, one].map((at) => placePaid(at, 'alice', key)));
    expect(b).toEqual({ ...a, position: b?.position });
    expect(again).toEqual({ ...a, position: again?.position });
  }
  expect((await list(one, 'alice')).items).toHaveLength(RACES);
});

it('what one has written the other reads, and both list the same', async () => {
  const placed = await Promise.all(
    Array.from({ length: 10 }, (_, n) => placePaid(n % 2 === 0 ? one : two, 'bob', `both-${n}`)),
  );
  for (const [n, each] of placed.entries()) {
    expect(await get(n % 2 === 0 ? two : one, 'bob', each)).toEqual(each.order);
  }
  const atLeast = placed.map(({ position }) => position).join(',');
  const [pageOfOne, pageOfTwo] = [await list(one, 'bob', atLeast), await list(two, 'bob', atLeast)];
  expect(pageOfOne.items).toHaveLength(10);
  expect(pageOfTwo).toEqual(pageOfOne);
});

it('commands that race on one order lose nothing: each fact is in the log once, and both fold it alike', async () => {
  const keys = Array.from({ length: RACES }, (_, n) => `storm-${n}`);
  const answers = await Promise.all(
    keys.flatMap((key) => [one, two, one, two].map((at) => place(at, 'carol', key))),
  );
  const orderIds = new Set(answers.map(({ order }) => order.orderId));
  expect(orderIds.size).toBe(RACES);
  // One that was answered before its deadline, and not yet paid, is paid without its request.
  await expect
    .poll(async () => (await histories(orderIds)).all.map((types) => types.at(-1)), {
      timeout: SETTLE_MS_MAX,
    })
    .toEqual(keys.map(() => 'OrderPaid'));
  const { all, conflicts, duplicates } = await histories(orderIds);
  for (const types of all) {
    expect(types.filter((type) => type === 'OrderCreated')).toHaveLength(1);
    expect(types.filter((type) => type === 'OrderPaid')).toHaveLength(1);
    expect(types.at(-1)).toBe('OrderPaid');
  }
  const hashes = async (at: ServiceProcess): Promise<readonly string[]> => {
    const answer = await fetch(`${at.ops}/ops/projections`);
    const { projections } = OpsProjections.parse(await answer.json());
    return projections.map(({ name, stateHash }) => `${name} ${stateHash}`).sort();
  };
  const differ = async (): Promise<boolean> =>
    JSON.stringify(await hashes(one)) !== JSON.stringify(await hashes(two));
  await expect.poll(differ, { timeout: SETTLE_MS_MAX }).toBe(false);
  process.stdout.write(
    `two instances: ${answers.length} requests for ${RACES} orders; in the log ${conflicts} records of commits that lost, ${duplicates} of second copies\n`,
  );
});

it('SIGKILL of one in the middle leaves the other finishing its orders, each paid once', async () => {
  payment.child.kill('SIGSTOP'); // payment is asked and does not answer: the orders are under way when the process dies
  const cut = Array.from({ length: ORDERS_AT_KILL }, (_, n) =>
    place(one, 'dave', `cut-${n}`).catch(() => undefined),
  );
  const statuses = async (): Promise<readonly string[]> =>
    (await list(two, 'dave')).items.map(({ status }) => status);
  await expect
    .poll(statuses, { timeout: SETTLE_MS_MAX })
    .toEqual(Array.from({ length: ORDERS_AT_KILL }, () => 'PAYMENT_PENDING'));
  await one.kill();
  const killedAtMs = performance.now();
  await Promise.all(cut);
  payment.child.kill('SIGCONT');
  await expect
    .poll(statuses, { timeout: SETTLE_MS_MAX, interval: 100 })
    .toEqual(Array.from({ length: ORDERS_AT_KILL }, () => 'PAID'));
  const tookMs = Math.round(performance.now() - killedAtMs);
  const { items } = await list(two, 'dave');
  const { all } = await histories(new Set(items.map(({ orderId }) => orderId)));
  for (const types of all) expect(types.filter((type) => type === 'OrderPaid')).toHaveLength(1);
  const answer = await fetch(`${payment.ops}/ops/projections/payments/rows?limit=1000`);
  const { rows } = OpsProjectionRows.parse(await answer.json());
  const paid = new Set(rows.map(({ key }) => key));
  for (const { orderId } of items) expect(paid.has(orderId)).toBe(true);
  // The same requests again, to the one that is left: the same orders, and no further payment.
  const again = await Promise.all(items.map((_, n) => place(two, 'dave', `cut-${n}`)));
  expect(again.map(({ status }) => status)).toEqual(items.map(() => 201));
  expect(new Set(again.map(({ order }) => order.paymentId))).toEqual(
    new Set(items.map(({ paymentId }) => paymentId)),
  );
  process.stdout.write(
    `two instances: ${items.length} orders of a killed process were paid ${tookMs} ms after it died\n`,
  );
});
