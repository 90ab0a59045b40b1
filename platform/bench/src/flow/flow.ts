/**
 * `bench flow`: orders through the gateway of a whole stack at 20 a second, against the sum of what their requests
 * wait for; and how long until an order is seen SHIPPED.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Endpoints } from '@parley/contracts/endpoints';
import { engineHostWith, mintTokenIn, rendererOf, withOwnStack, type Output } from '@parley/launcher';
import type { BenchContext } from '../context.ts';
import { withInFlight } from '../in-flight.ts';
import { describeLimit, limitOf, type LimitResult } from '../limit.ts';
import { describe, percentile, runClaim, type ClaimResult, type Measured } from '../pairs.ts';
import { Customers } from './customer.ts';
import { openHops, type Hop } from './hops.ts';
import { openLoop } from './open-loop.ts';

const PER_SECOND = 20;
const ORDERS_PER_RUN = 200;
const CALLS_PER_HOP = 100;
const WARM_UP_ORDERS = 200;
/**
 * Between polls, or a tenth of the wait when that is longer, and before the first where SHIPPED is measured: what an order
 * costs is to be the order, not the looking. It is seen SHIPPED so much later than it is.
 */
const POLL_MS_MIN = 20;
const POLL_SHARE = 0.1;
const SHIPPED_WITHIN_MS = 10_000;
const TOKEN_TTL_SECONDS = 3600;
/** Each asks a fraction of the 100 times a second that the gateway lets a client ask. */
const CUSTOMERS = 8;
const SHIPPED_P99_MS_MAX = 250;
const FLOW_RATIO_MAX = 1.5;

/** When an order is seen SHIPPED at the gateway, polled. @throws Error after 10 s. */
async function untilShipped(customers: Customers, orderId: string, signal: AbortSignal): Promise<number> {
  const startedAtMs = performance.now();
  while ((await customers.status(orderId)) !== 'SHIPPED') {
    const waitedMs = performance.now() - startedAtMs;
    if (waitedMs > SHIPPED_WITHIN_MS) throw new Error(`order ${orderId} is not SHIPPED after 10 s`);
    await pause(Math.max(POLL_MS_MIN, waitedMs * POLL_SHARE), undefined, { signal });
  }
  return performance.now();
}

class Runs {
  readonly #customers: Customers;
  readonly #signal: AbortSignal;

  constructor(customers: Customers, signal: AbortSignal) {
    this.#customers = customers;
    this.#signal = signal;
  }

  /** Milliseconds from when each order was due until its 201; resolves when all are SHIPPED. A 202 does not count. */
  async orders(count: number): Promise<Measured> {
    const placed = await openLoop(
      { perSecond: PER_SECOND, count, signal: this.#signal },
      async (n, dueAtMs) => {
        const { orderId, paid } = await this.#customers.order(n);
        return { orderId, paid, latencyMs: performance.now() - dueAtMs };
      },
    );
    for (const { orderId } of placed) await untilShipped(this.#customers, orderId, this.#signal);
    const latencies = placed.map(({ latencyMs }) => latencyMs);
    return {
      figure: percentile(latencies, 0.5),
      count: placed.filter(({ paid }) => paid).length,
      expected: count,
      also: { p99Ms: percentile(latencies, 0.99) },
    };
  }

  /** The hops one after the other, each alone; the figure is the sum of their medians. */
  async hops(hops: readonly Hop[]): Promise<Measured> {
    const also: Record<string, number> = {};
    let figure = 0;
    for (const { name, times, call } of hops) {
      const arrivals = { perSecond: PER_SECOND, count: CALLS_PER_HOP, signal: this.#signal };
      const latencies = await openLoop(arrivals, async (n) => {
        const startedAtMs = performance.now(); // from the call, not from when it was due: a hop is not to look slow
        await call(n);
        return performance.now() - startedAtMs;
      });
      also[name] = percentile(latencies, 0.5);
      figure += times * also[name];
    }
    return { figure, count: hops.length, expected: hops.length, also };
  }

  /** Milliseconds from when each order was due until it was seen SHIPPED. */
  async shipped(count: number): Promise<number[]> {
    return openLoop({ perSecond: PER_SECOND, count, signal: this.#signal }, async (n, dueAtMs) => {
      const { orderId } = await this.#customers.order(n);
      await pause(POLL_MS_MIN, undefined, { signal: this.#signal });
      return (await untilShipped(this.#customers, orderId, this.#signal)) - dueAtMs;
    });
  }
}

async function measure(
  endpoints: Endpoints,
  customers: Customers,
  { pairs, print, signal }: BenchContext,
): Promise<(ClaimResult | LimitResult)[]> {
  const products = await customers.chooseProducts();
  const { orderId } = await customers.order(0);
  const runs = new Runs(customers, signal);
  print(`warming up: ${WARM_UP_ORDERS} orders, one after the other`);
  await withInFlight(WARM_UP_ORDERS, 1, async (index) => {
    signal.throwIfAborted();
    return (await customers.order(index)).paid;
  });
  const { hops, close } = await openHops(endpoints, customers, { orderId, products });
  try {
    const title = `Orders at ${PER_SECOND}/s, POST until 201 (p50 of ${ORDERS_PER_RUN}), against the sum of their hops`;
    print(title);
    const claim = await runClaim(
      {
        title,
        unit: 'ms',
        bound: { atMost: FLOW_RATIO_MAX },
        a: { name: 'order', run: () => runs.orders(ORDERS_PER_RUN) },
        b: { name: `sum of hops (p50 of ${CALLS_PER_HOP} each)`, run: () => runs.hops(hops) },
      },
      { pairs, print, signal },
    );
    print(describe(claim));
    const rounds: number[][] = [];
    const shippedTitle = `Orders at ${PER_SECOND}/s, POST until SHIPPED is seen at the gateway (polled every ${POLL_MS_MIN} ms or tenth of the wait)`;
    print(shippedTitle);
    for (let round = 1; round <= pairs; round++) {
      const latencies = await runs.shipped(ORDERS_PER_RUN);
      rounds.push(latencies);
      print(`  round ${round}/${pairs}: p99 ${percentile(latencies, 0.99).toFixed(0)} ms`);
    }
    const shipped = limitOf(shippedTitle, rounds, { quantile: 0.99, unit: 'ms', atMost: SHIPPED_P99_MS_MAX });
    print(describeLimit(shipped));
    return [claim, shipped];
  } finally {
    await close();
  }
}

const outputThrough = (print: (line: string) => void): Output => ({
  line: print,
  good: print,
  bad: print,
  dim: print,
});

/** Starts a whole stack of its own, measures, stops it. */
export const benchFlow = (context: BenchContext): Promise<(ClaimResult | LimitResult)[]> =>
  withOwnStack(
    {
      engines: engineHostWith(rendererOf),
      output: outputThrough(context.print),
      signal: context.signal,
      keep: false,
    },
    async ({ PARLEY_ENDPOINTS = '' }) => {
      const endpoints = Endpoints.parse(JSON.parse(await readFile(PARLEY_ENDPOINTS, 'utf8')));
      const runDir = dirname(PARLEY_ENDPOINTS);
      const tokenOf = (n: number): Promise<string> =>
        mintTokenIn({ runDir, sub: `bench-${n}`, ttlSeconds: TOKEN_TTL_SECONDS });
      const others = Array.from({ length: CUSTOMERS - 1 }, (_, n) => tokenOf(n + 1));
      const tokens = [await tokenOf(0), ...(await Promise.all(others))] as const;
      return measure(endpoints, new Customers(endpoints.gateway.url, tokens), context);
    },
  );
