/**
 * `bench telemetry`: what traces, metrics and logs cost an order: two whole stacks side by side, one that makes and
 * exports all of them and one that makes none, take the same orders in turn.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Endpoints } from '@parley/contracts/endpoints';
import { engineHostWith, mintTokenIn, rendererOf, withOwnStack } from '@parley/launcher';
import type { BenchContext } from '../context.ts';
import { Customers } from '../flow/customer.ts';
import { openLoop } from '../flow/open-loop.ts';
import { describe, percentile, runClaim, type ClaimResult, type Measured } from '../pairs.ts';
import { processorMs, servicePids } from '../processor-time.ts';

const PER_SECOND = 20;
const ORDERS_PER_RUN = 200;
const WARM_UP_ORDERS = 200;
const TOKEN_TTL_SECONDS = 3600;
const CUSTOMERS = 8;
const RATIO_MAX = 1.25;
/** What switches all signals of a service off; the gateway and the engines are the same on both sides. */
const OFF = { OTEL_SDK_DISABLED: 'true', LOG_LEVEL: 'silent' };

interface RunningStack {
  readonly customers: Customers;
  readonly pids: readonly number[];
}

const connect = async (endpointsPath: string): Promise<RunningStack> => {
  const { gateway } = Endpoints.parse(JSON.parse(await readFile(endpointsPath, 'utf8')));
  const runDir = dirname(endpointsPath);
  const tokenOf = (n: number): Promise<string> =>
    mintTokenIn({ runDir, sub: `bench-${n}`, ttlSeconds: TOKEN_TTL_SECONDS });
  const others = Array.from({ length: CUSTOMERS - 1 }, (_, n) => tokenOf(n + 1));
  const customers = new Customers(gateway.url, [await tokenOf(0), ...(await Promise.all(others))]);
  await customers.chooseProducts();
  const pids = servicePids(runDir);
  if (pids.length === 0) throw new Error(`no service of ${runDir} runs`);
  return { customers, pids };
};

/** Orders at a fixed rate: processor time of all services for each, and how long its 201 took. */
const orders = async (
  { customers, pids }: RunningStack,
  count: number,
  signal: AbortSignal,
): Promise<Measured> => {
  const beforeMs = processorMs(pids);
  const placed = await openLoop({ perSecond: PER_SECOND, count, signal }, async (n, dueAtMs) => {
    const { paid } = await customers.order(n);
    return { paid, latencyMs: performance.now() - dueAtMs };
  });
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
  const title = `Processor time of the services for an order at ${PER_SECOND}/s: all signals on against none`;
  print(title);
  const claim = await runClaim(
    {
      title,
      unit: 'ms',
      bound: { atMost: RATIO_MAX },
      a: { name: 'traces, metrics and logs', run: () => orders(on, ORDERS_PER_RUN, signal) },
      b: { name: 'none', run: () => orders(off, ORDERS_PER_RUN, signal) },
    },
    { pairs, print, signal },
  );
  print(describe(claim));
  return [claim];
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
      compare(await connect(on.PARLEY_ENDPOINTS ?? ''), await connect(off.PARLEY_ENDPOINTS ?? ''), context),
    ),
  );
};
