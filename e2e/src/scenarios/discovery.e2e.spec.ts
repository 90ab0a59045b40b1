import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@parley/contracts/endpoints';
import { ProductPage, type OrderResource } from '@parley/contracts/rest';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import {
  countLines,
  environmentOf,
  knownTo,
  linesOf,
  listedIn,
  scale,
  startGuest,
  type Guest,
} from '../instances.ts';
import { evidence } from '../ledger/evidence.ts';
import { pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const { discovery, order, instances } = stack.endpoints;
if (discovery === undefined) throw new Error('the stack has no registry of instances');
const registryUrl = discovery.url;

/** From the moment at which an instance listens; how long a process takes to get there is the machine's. */
const foundMsMax = 30_000;
const listensMsMax = 100_000;
const goneMsMax = 60_000;
/** After a clean stop: less than a lease that nobody renews lasts. */
const leftMsMax = 5_000;
const shippedMs = 180_000;
/** How far an instance's share may be from an even one. */
const unevenMax = 0.1;
afterAll(() => untilWell(stack));

const isPayment = (line: Readonly<Record<string, unknown>>): boolean =>
  line.msg === 'request' && line.method === 'POST' && line.route === '/api/v1/payments';

/** Waits until a guest listens; answers its port and the milliseconds that its process took. */
const listening = async (guest: Guest): Promise<{ port: string; startMs: number; sinceMs: number }> => {
  const line = (): unknown => linesOf(guest.log()).find(({ msg }) => msg === 'listening')?.http;
  const port = String(
    await waitFor('the guest to listen', line, { deadlineMs: listensMsMax, intervalMs: 10 }),
  );
  const sinceMs = performance.now();
  return { port, startMs: Math.round(sinceMs - guest.startedAtMs), sinceMs };
};

/** Ports at which the gateway finds a service. */
const portsAtGateway = (service: ServiceName): readonly string[] => {
  const text = readFileSync(join(stack.runDir, `gateway/upstreams/${service}.json`), 'utf8');
  return [...text.matchAll(/"port_value":(\d+)/g)].map(([, port = '']) => port);
};

/** Milliseconds from `sinceMs` until each of these says that it knows the instance, or no longer. */
const seenAfter = async (
  { id, port }: { readonly id: string; readonly port: string },
  { isThere, sinceMs, deadlineMs }: { isThere: boolean; sinceMs: number; deadlineMs: number },
): Promise<{ registryMs: number; callerMs: number; gatewayMs: number }> => {
  const seen = async (what: string, look: () => Promise<boolean>): Promise<number> => {
    const isSeen = async (): Promise<true | undefined> => ((await look()) === isThere ? true : undefined);
    await waitFor(`${id} in ${what}: ${String(isThere)}`, isSeen, { deadlineMs });
    return Math.round(performance.now() - sinceMs);
  };
  const [registryMs, callerMs, gatewayMs] = await Promise.all([
    seen('the registry', async () => (await listedIn(registryUrl, 'payment')).includes(id)),
    seen("order's list", async () => (await knownTo(order.ops, 'payment')).includes(id)),
    seen("the gateway's upstreams", () => Promise.resolve(portsAtGateway('payment').includes(port))),
  ]);
  return { registryMs, callerMs, gatewayMs };
};

/** Places orders while something goes on; every one must be taken. Answers them. */
const orderWhile = async (
  customer: Customer,
  going: () => Promise<void>,
): Promise<readonly OrderResource[]> => {
  const stopping = new AbortController();
  const taken: OrderResource[] = [];
  const ordering = (async (): Promise<void> => {
    for (;;) {
      taken.push(await customer.ordered({ productId: 'wool-door-stop', quantity: 1 }));
      if (stopping.signal.aborted) return;
    }
  })();
  ordering.catch(() => undefined); // told when it is awaited
  try {
    await going();
  } finally {
    stopping.abort();
    await ordering;
  }
  return taken;
};

describe('an instance that nobody was told of', () => {
  it('lists itself, and its caller finds it and shares its calls with it within 30 s (US4.1, FR-009)', async (context) => {
    const customer = await Customer.of(stack, 'found');
    const guest = startGuest(stack, 'payment', 'payment-guest-1');
    try {
      const { port, startMs, sinceMs } = await listening(guest);
      const { id } = guest;
      const found = await seenAfter({ id, port }, { isThere: true, sinceMs, deadlineMs: foundMsMax });
      const paid = (): number => linesOf(guest.log()).filter(isPayment).length;
      let calledMs = 0;
      const placed = await orderWhile(customer, async () => {
        const isAsked = (): true | undefined => (paid() > 0 ? true : undefined);
        await waitFor('the guest to be asked for a payment', isAsked, { deadlineMs: foundMsMax });
        calledMs = Math.round(performance.now() - sinceMs);
      });
      expect(calledMs).toBeLessThan(foundMsMax);
      // Its address was in nobody's configuration: the machine chose its port.
      const configured = environmentOf(pidOf(stack, 'order')).PAYMENT_URL ?? '';
      expect(configured).not.toContain(`:${port}`);
      evidence(context, ['US4.1', 'FR-009'], {
        instance: guest.id,
        startMs,
        ...found,
        calledMs,
        boundMs: foundMsMax,
        port,
        configuredForOrder: configured,
        payments: paid(),
        orders: placed.length,
      });
    } finally {
      await guest.end('SIGTERM');
    }
  });

  it('is gone within 5 s of a clean stop and within 60 s of kill -9, and no order notices (US4.3, SC-007)', async (context) => {
    const customer = await Customer.of(stack, 'gone');
    const outcome: Record<string, object> = {};
    const placed: OrderResource[] = [];
    for (const [signal, boundMs] of [
      ['SIGTERM', leftMsMax],
      ['SIGKILL', goneMsMax],
    ] as const) {
      const guest = startGuest(stack, 'payment', `payment-guest-${signal}`);
      const { id } = guest;
      try {
        const { port, sinceMs } = await listening(guest);
        const found = await seenAfter({ id, port }, { isThere: true, sinceMs, deadlineMs: foundMsMax });
        const orders = await orderWhile(customer, async () => {
          const away = { isThere: false, sinceMs: performance.now(), deadlineMs: goneMsMax };
          const [ended, gone] = await Promise.all([guest.end(signal), seenAfter({ id, port }, away)]);
          expect(Math.max(...Object.values(gone))).toBeLessThan(boundMs);
          outcome[signal] = { ended, found, gone, boundMs };
        });
        placed.push(...orders);
        expect(Math.max(...Object.values(found))).toBeLessThan(foundMsMax);
      } finally {
        await guest.end('SIGKILL');
      }
    }
    await Promise.all(placed.map(({ orderId }) => customer.status(orderId, 'SHIPPED', shippedMs)));
    evidence(context, ['US4.3', 'SC-007'], { ...outcome, ordersMeanwhile: placed.length });
  });
});

describe('a service of three instances', () => {
  it('has its calls shared evenly: gRPC from order, and REST through the gateway (US4.2)', async (context) => {
    const products = ['product-1', 'product-2', 'product-3'];
    const customer = await Customer.of(stack, 'balance');
    const shareOf = async (
      total: number,
      isMeant: (line: Readonly<Record<string, unknown>>) => boolean,
      act: () => Promise<unknown>,
    ): Promise<readonly number[]> => {
      const counts = (): number[] => products.map((id) => countLines(stack, id, isMeant));
      const before = counts();
      await act();
      const shares = (): readonly number[] | undefined => {
        const now = counts().map((count, at) => count - (before[at] ?? 0));
        return now.reduce((sum, count) => sum + count, 0) >= total ? now : undefined;
      };
      const share = await waitFor('every call to be logged', shares, { deadlineMs: shippedMs });
      const even = share.reduce((sum, count) => sum + count, 0) / products.length; // retries are calls, too
      for (const count of share)
        expect(Math.abs(count / even - 1), share.join()).toBeLessThanOrEqual(unevenMax);
      return share;
    };
    await scale(stack, 'product=3');
    try {
      const listed = async (): Promise<true | undefined> => {
        const lists = [await listedIn(registryUrl, 'product'), await knownTo(order.ops, 'product')];
        // The gateway reads the list for itself: what it does not know yet, it does not share with.
        if (portsAtGateway('product').length < products.length) return undefined;
        return lists.every((ids) => ids.toSorted().join() === products.join()) ? true : undefined;
      };
      await waitFor('all three to be listed', listed, { deadlineMs: foundMsMax });
      const page = await customer.read('/api/v1/products?limit=100', ProductPage);
      const stocked = page.items.filter(({ stock }) => stock >= 100).slice(0, 4);
      const placed: OrderResource[] = [];
      const reservations = await shareOf(
        60,
        ({ msg, rpc }) => msg === 'call' && typeof rpc === 'string' && rpc.endsWith('/ReserveStock'),
        async () => {
          const each = stocked.map(async ({ productId }) => {
            for (let n = 0; n < 60 / stocked.length; n += 1)
              placed.push(await customer.ordered({ productId, quantity: 1 }));
          });
          await Promise.all(each);
        },
      );
      const reads = await shareOf(
        90,
        ({ msg, method, route }) => msg === 'request' && method === 'GET' && route === '/api/v1/products',
        async () => {
          for (let n = 0; n < 90; n += 1) await customer.read('/api/v1/products?limit=1', ProductPage);
        },
      );
      await Promise.all(placed.map(({ orderId }) => customer.status(orderId, 'SHIPPED', shippedMs)));
      evidence(context, ['US4.2'], {
        instances: products,
        grpcReserveStock: reservations,
        restThroughGateway: reads,
        unevenMax,
        ordersShipped: placed.length,
      });
    } finally {
      await scale(stack, 'product=1');
    }
    const { instances: after } = readStack().endpoints;
    expect(after).toEqual(instances);
  });
});
