import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shippingRequests } from '@parley/contracts/queues';
import { DEAD_LETTERS_ORDER_MAX, DEAD_LETTERS_RATE_MAX } from '@parley/contracts/rest';
import { shippingEvents } from '@parley/contracts/topics';
import type { ConfirmChannel } from 'amqplib';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { runCommand, type CommandResult } from '../command.ts';
import { ServiceLetters } from '../dead-letters.ts';
import { evidence } from '../ledger/evidence.ts';
import { readTopic } from '../log.ts';
import { withBroker } from '../queue.ts';
import { pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const productId = 'cinder-earbuds';
const orders = 24;
const deadlineMs = 180_000;
const main = 'platform/launcher/src/main.ts';
afterAll(() => untilWell(stack));

const dlq = (...args: readonly string[]): Promise<CommandResult> =>
  runCommand(stack, [process.execPath, main, 'dlq', ...args]);

/** Request bodies by the id of their order. */
type Requests = ReadonlyMap<string, Buffer>;

/**
 * Takes the requests to ship that a queue holds, and hands each on, confirmed, before it is removed there: those of these
 * orders to the dead letters, and any other, of an earlier scenario, to shipping. Answers the former.
 */
const drain = async (
  channel: ConfirmChannel,
  from: string,
  dead: { readonly orderIds: ReadonlySet<string>; readonly headers: Readonly<Record<string, string>> },
): Promise<Requests> => {
  const moved = new Map<string, Buffer>();
  for (;;) {
    const message = await channel.get(from);
    if (message === false) return moved;
    const { orderId } = JSON.parse(message.content.toString()) as { readonly orderId: string }; // by notification
    const isDead = dead.orderIds.has(orderId);
    const { headers, ...properties } = message.properties;
    channel.publish('', isDead ? shippingRequests.deadLetterQueue : shippingRequests.queue, message.content, {
      ...properties,
      persistent: true,
      headers: isDead ? { ...headers, ...dead.headers } : headers,
    });
    await channel.waitForConfirms();
    channel.ack(message);
    if (isDead) moved.set(orderId, message.content);
  }
};

/** Places orders whose requests to ship become dead letters of this reason, as if shipping had failed on them. */
const deadRequests = (customer: Customer, reason: string): Promise<Requests> =>
  withBroker(stack, async (connection) => {
    const { exchange, queue, routingKey } = shippingRequests;
    const requests = new Map<string, Buffer>();
    const orderIds = new Set<string>();
    const headers = {
      'x-error-reason': reason,
      'x-error-time': new Date().toISOString(),
      own: '\u001b[2Jcleared',
    };
    const channel = await connection.createConfirmChannel();
    const { queue: aside } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(aside, exchange, routingKey);
    await channel.unbindQueue(queue, exchange, routingKey);
    try {
      while (orderIds.size < orders)
        orderIds.add((await customer.ordered({ productId, quantity: 1 })).orderId);
      const areThere = async (): Promise<true | undefined> => {
        for (const [orderId, body] of await drain(channel, aside, { orderIds, headers }))
          requests.set(orderId, body);
        return requests.size >= orders ? true : undefined;
      };
      await waitFor('the requests to ship', areThere, { deadlineMs });
    } finally {
      await channel.bindQueue(queue, exchange, routingKey);
      await channel.unbindQueue(aside, exchange, routingKey);
      await drain(channel, aside, { orderIds, headers });
    }
    return requests;
  });

describe('redrives of many dead letters', () => {
  it(
    'take as many as they are told, at the rate they are told, also over HTTP, and ended by Ctrl-C, by kill -9 or by a broker that dies they have lost nothing: the next one goes on, and every order is shipped once (US2.4)',
    { timeout: 1_200_000 },
    async (context) => {
      const customer = await Customer.of(stack, 'redrive');
      const reason = `shipping is broken ${randomUUID()}`;
      const requests = await deadRequests(customer, reason);
      expect(requests.size).toBe(orders);
      const letters = new ServiceLetters(stack, 'shipping');
      const states = async (): Promise<{ readonly open: number; readonly redriven: number }> => {
        const all = (await letters.list()).filter((letter) => letter.reason === reason);
        const count = (state: string): number => all.filter((letter) => letter.state === state).length;
        return { open: count('open'), redriven: count('redriven') };
      };
      expect(await states()).toEqual({ open: orders, redriven: 0 });

      // Told, kept and shown as they are, and nothing that the terminal would obey.
      const folder = await mkdtemp(join(tmpdir(), 'parley-e2e-'));
      const out = join(folder, 'letters.ndjson');
      expect((await dlq('export', '--reason', reason, '--out', out)).exitCode).toBe(0);
      const exported = (await readFile(out, 'utf8'))
        .trim()
        .split('\n')
        .map(
          (line) =>
            JSON.parse(line) as { id: string; type: string; value: string; decoded: { orderId: string } },
        ); // as documented
      await rm(folder, { recursive: true });
      const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
      const hashes = exported.map(({ value, decoded }) => [
        decoded.orderId,
        sha256(Buffer.from(value, 'base64')),
      ]);
      // The queue gives letters back in another order than it handed them out.
      expect(hashes.toSorted()).toEqual(
        [...requests].map(([orderId, body]) => [orderId, sha256(body)]).toSorted(),
      );
      const [first] = exported;
      if (first === undefined) throw new Error('nothing was exported');
      const shown = (await dlq('show', first.id)).stdout;
      expect(shown).toContain(`"orderId": "${first.decoded.orderId}"`);
      expect(shown).toContain('7b 22'); // {"
      expect(shown).toContain(String.raw`\x1b[2Jcleared`);
      expect(shown).not.toContain('\u001b');

      const two = await dlq('redrive', '--all', '--reason', reason, '--max', '2', '--json');
      expect(JSON.parse(two.stdout)).toMatchObject({ results: [{}, {}], left: orders - 2 });
      expect(await states()).toEqual({ open: orders - 2, redriven: 2 });

      // Over HTTP, without the command: the same letters, and the same order of many.
      const query = `?${new URLSearchParams({ reason, broker: 'rabbitmq', settled: 'false' }).toString()}`;
      const listed = (await letters.list(query)).map(({ id }) => id);
      const waiting = await letters.export(`?${new URLSearchParams({ reason }).toString()}`);
      expect(waiting.map(({ id }) => id).toSorted()).toEqual(listed.toSorted());
      expect(listed).toHaveLength(orders - 2);
      const one = {
        why: 'over HTTP',
        filter: { reason, broker: 'rabbitmq', state: 'open', type: first.type },
      } as const;
      const bounds = { max: DEAD_LETTERS_ORDER_MAX, ratePerSecond: DEAD_LETTERS_RATE_MAX };
      const dry = await letters.redriveMany({ ...one, ...bounds, dryRun: true });
      expect(dry.lines).toHaveLength(orders - 2 + 1);
      for (const [bound, most] of Object.entries(bounds))
        expect(await letters.redriveMany({ ...one, [bound]: most + 1, dryRun: true })).toMatchObject({
          status: 400,
        });
      expect(await letters.redriveMany({ ...one, max: 1, dryRun: true })).toEqual({
        status: 200,
        lines: [{ id: expect.any(String) as string, result: 'would redrive' }, { left: orders - 3 }],
      });
      expect(await letters.redriveMany({ ...one, max: 1 })).toEqual({
        status: 200,
        lines: [{ id: expect.any(String) as string, result: 'done' }, { left: orders - 3 }],
      });
      expect(await states()).toEqual({ open: orders - 3, redriven: 3 });

      const afterSignal = new Map<string, Awaited<ReturnType<typeof states>>>();
      for (const signal of ['SIGINT', 'SIGKILL'] as const) {
        const { redriven: before } = await states();
        const child = spawn(
          process.execPath,
          [main, 'dlq', 'redrive', '--all', '--reason', reason, '--rate', '1'],
          {
            cwd: join(import.meta.dirname, '../../..'),
            env: { ...process.env, PARLEY_RUN_DIR: stack.runDir },
            stdio: 'ignore',
          },
        );
        const gone = once(child, 'exit');
        const some = async (): Promise<true | undefined> =>
          (await states()).redriven >= before + 2 ? true : undefined;
        await waitFor('some to be redriven', some, { deadlineMs });
        child.kill(signal);
        expect(await gone).toEqual([null, signal]);
        // Right behind it, with the letter at hand maybe not settled yet: the service goes on with none of the rest.
        const next = await dlq('redrive', '--all', '--reason', reason, '--max', '1', '--json');
        expect([next.exitCode, JSON.parse(next.stdout)]).toMatchObject([
          0,
          { results: [{ result: 'done' }] },
        ]);
        const now = await states();
        expect(now.open + now.redriven).toBe(orders);
        expect(now.open).toBeGreaterThan(0);
        afterSignal.set(signal, now);
      }

      const broker = pidOf(stack, 'rabbitmq');
      const { redriven: beforeBroker } = await states();
      const interrupted = dlq('redrive', '--all', '--reason', reason, '--rate', '1');
      const oneMore = async (): Promise<true | undefined> =>
        (await states()).redriven > beforeBroker ? true : undefined;
      await waitFor('one more to be redriven', oneMore, { deadlineMs });
      process.kill(-broker, 'SIGKILL'); // with the node, which is not the start script itself
      const { exitCode, stderr } = await interrupted;
      const isBack = async (): Promise<Awaited<ReturnType<typeof states>> | undefined> => {
        if (pidOf(stack, 'rabbitmq') === broker) return undefined;
        const now = await states();
        return now.open + now.redriven >= orders ? now : undefined;
      };
      const afterBroker = await waitFor('the broker to be back with every letter', isBack, { deadlineMs });
      expect([exitCode, stderr]).toEqual([3, expect.stringContaining('shipping')]);
      expect(afterBroker.open).toBeGreaterThan(0);

      const rate = 5;
      const startedAt = performance.now();
      const rest = await dlq('redrive', '--all', '--reason', reason, '--rate', String(rate), '--json');
      const tookMs = Math.round(performance.now() - startedAt);
      expect(rest.exitCode).toBe(0);
      expect(tookMs).toBeGreaterThanOrEqual(((afterBroker.open - 1) * 1_000) / rate);
      expect((await states()).open).toBe(0);
      for (const orderId of requests.keys()) await customer.status(orderId, 'SHIPPED', deadlineMs);
      const { accepted } = await readTopic(stack, shippingEvents.name);
      const shipments = [...requests.keys()].map(
        (orderId) => accepted.filter(({ streamId }) => streamId === `shipment-${orderId}`).length,
      );
      expect(shipments).toEqual(shipments.map(() => 1));
      evidence(context, ['US2.4'], {
        letters: orders,
        exportedWithEqualBytes: exported.length,
        overHttp: { listed: listed.length, exported: waiting.length, redriven: 1 },
        afterSignal: Object.fromEntries(afterSignal),
        afterBrokerDied: afterBroker,
        rest: { ratePerSecond: rate, letters: afterBroker.open, tookMs },
        shippedOnce: shipments.length,
      });
    },
  );
});
