/**
 * `bench telemetry`: what traces, metrics and logs cost an order: two whole stacks side by side, one that makes and
 * exports all of them and one that makes none, take the same orders in turn.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Endpoints, type Instance } from '@parley/contracts/endpoints';
import { waitUntil } from '@parley/engines/wait';
import { engineHostWith, mintTokenIn, rendererOf, withOwnStack } from '@parley/launcher';
import type { BenchContext } from '../context.ts';
import { Customers } from '../flow/customer.ts';
import { openLoop } from '../flow/open-loop.ts';
import { claimOf, describe, percentile, runClaim, type ClaimResult, type Measured } from '../pairs.ts';
import { pidsOf, processorMs } from '../processor-time.ts';

/** Half of what fills two cores: near that, a wait for a core decides the p50, and not what is measured. */
const PER_SECOND = 10;
const ORDERS_PER_RUN = 100;
const WARM_UP_ORDERS = 100;
const TOKEN_TTL_SECONDS = 3600;
const CUSTOMERS = 8;
const SHIPPED_DEADLINE_MS = 30_000;
const SCRAPE_DEADLINE_MS = 5_000;
const POLL_MS = 50;
/** Spans and lines wait for half a second to travel together. */
const EXPORTED_AFTER_MS = 600;
const RATIO_MAX = 1.25;
/** What switches all signals of a service off; the gateway and the engines are the same on both sides. */
const OFF = { OTEL_SDK_DISABLED: 'true', LOG_LEVEL: 'silent' };

interface RunningStack {
  readonly customers: Customers;
  readonly pids: readonly number[];
}

/** Refuses a stack whose services make signals when they should not, or none when they should. */
const checkSignals = async (instances: readonly Instance[], areOn: boolean): Promise<void> => {
  for (const { id, host, ports } of instances) {
    const response = await fetch(`http://${host}:${ports.ops}/metrics`, {
      signal: AbortSignal.timeout(SCRAPE_DEADLINE_MS),
    });
    if (((await response.text()) !== '') !== areOn)
      throw new Error(`the signals of ${id} are ${areOn ? 'off' : 'on'}`);
  }
};

const connect = async (endpointsPath: string, areOn: boolean): Promise<RunningStack> => {
  const { gateway, instances } = Endpoints.parse(JSON.parse(await readFile(endpointsPath, 'utf8')));
  await checkSignals(instances, areOn);
  const runDir = dirname(endpointsPath);
  const tokenOf = (n: number): Promise<string> =>
    mintTokenIn({ runDir, sub: `bench-${n}`, ttlSeconds: TOKEN_TTL_SECONDS });
  const others = Array.from({ length: CUSTOMERS - 1 }, (_, n) => tokenOf(n + 1));
  const customers = new Customers(gateway.url, [await tokenOf(0), ...(await Promise.all(others))]);
  await customers.chooseProducts();
  return { customers, pids: pidsOf(runDir, instances) };
};

/** What an order causes behind the brokers, and the spans of it, count with the run that placed it. */
const untilShipped = async (customers: Customers, orderId: string, signal: AbortSignal): Promise<void> => {
  const isShipped = async (): Promise<boolean> => (await customers.status(orderId)) === 'SHIPPED';
  if (!(await waitUntil(isShipped, { deadlineMs: SHIPPED_DEADLINE_MS, intervalMs: POLL_MS, signal })))
    throw new Error(`order ${orderId} is not SHIPPED after ${SHIPPED_DEADLINE_MS} ms`);
  await pause(EXPORTED_AFTER_MS, undefined, { signal });
};

/** Orders at a fixed rate: processor time of all services for each, and how long its 201 took. */
const orders = async (
  { customers, pids }: RunningStack,
  count: number,
  signal: AbortSignal,
): Promise<Measured> => {
  const beforeMs = processorMs(pids);
  const placed = await openLoop({ perSecond: PER_SECOND, count, signal }, async (n, dueAtMs) => {
    const { orderId, paid } = await customers.order(n);
    return { orderId, paid, latencyMs: performance.now() - dueAtMs };
  });
  await untilShipped(customers, placed.at(-1)?.orderId ?? '', signal);
  const latencies = placed.map(({ latencyMs }) => latencyMs);
  return {
    figure: (processorMs(pids) - beforeMs) / count,
    count: placed.filter(({ paid }) => paid).length,
    expected: count,
    also: { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) },
  };
};

const compare = async (
  on: RunningStack,
  off: RunningStack,
  { pairs, print, signal }: BenchContext,
): Promise<ClaimResult[]> => {
  print(`warming up: ${WARM_UP_ORDERS} orders on each`);
  for (const stack of [on, off]) await orders(stack, WARM_UP_ORDERS, signal);
  const at = `for an order at ${PER_SECOND}/s: all signals on against none`;
  const title = `Processor time of the services ${at}`;
  print(title);
  const processor = await runClaim(
    {
      title,
      unit: 'ms',
      bound: { atMost: RATIO_MAX },
      a: { name: 'traces, metrics and logs', run: () => orders(on, ORDERS_PER_RUN, signal) },
      b: { name: 'none', run: () => orders(off, ORDERS_PER_RUN, signal) },
    },
    { pairs, print, signal },
  );
  const p50 = claimOf(processor, { name: 'p50Ms', title: `POST until 201, p50, ${at}`, unit: 'ms' });
  const claims = [processor, p50];
  for (const claim of claims) print(describe(claim));
  return claims;
};

/** Starts two stacks of its own, measures, stops them. */
export const benchTelemetry = (context: BenchContext): Promise<ClaimResult[]> => {
  const { print, signal } = context;
  const options = {
    engines: engineHostWith(rendererOf),
    output: { line: print, good: print, bad: print, dim: print },
    signal,
    keep: false,
  };
  return withOwnStack({ ...options, suffix: 'on' }, (on) =>
    withOwnStack({ ...options, suffix: 'off', serviceEnv: OFF }, async (off) =>
      compare(
        await connect(on.PARLEY_ENDPOINTS ?? '', true),
        await connect(off.PARLEY_ENDPOINTS ?? '', false),
        context,
      ),
    ),
  );
};
