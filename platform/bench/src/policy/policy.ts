/**
 * `bench policy`: what a call under a policy costs besides the call, and how soon an open breaker answers. In process and
 * without engines: the function under the policy does nothing.
 */
import { createPolicy, type Policy } from '@parley/service';
import type { BenchContext } from '../context.ts';
import { describeLimit, limitOf, type LimitResult } from '../limit.ts';

const CALLS = 20_000;
const WARM_UP_CALLS = 5_000;

/** Bulkhead, retries, breaker and timeout, as order has them around payment. */
const policyOf = (): Policy =>
  createPolicy({
    name: 'bench',
    timeoutMs: 2_000,
    retries: 2,
    breaker: 'consecutive',
    breakerFailures: 5,
    breakerWaitMs: 600_000,
  });

const nothing = (): Promise<number> => Promise.resolve(1);

/** Microseconds of each call, one after the other. */
const measure = async (policy: Policy, calls: number): Promise<readonly number[]> => {
  const samples: number[] = [];
  for (let n = 0; n < calls; n += 1) {
    const startedAtMs = performance.now();
    await policy.execute(nothing, { idempotent: true, fallback: () => 0 });
    samples.push((performance.now() - startedAtMs) * 1_000);
  }
  return samples;
};

const open = async (policy: Policy): Promise<void> => {
  while (policy.status().state === 'closed')
    await policy.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
};

export async function benchPolicy({ pairs, print, signal }: BenchContext): Promise<LimitResult[]> {
  const closedRounds: (readonly number[])[] = [];
  const openRounds: (readonly number[])[] = [];
  await measure(policyOf(), WARM_UP_CALLS);
  for (let round = 0; round < pairs; round += 1) {
    signal.throwIfAborted();
    closedRounds.push(await measure(policyOf(), CALLS));
    const opened = policyOf();
    await open(opened);
    await measure(opened, WARM_UP_CALLS);
    openRounds.push(await measure(opened, CALLS));
  }
  const results = [
    limitOf('A call under a policy whose breaker is closed', closedRounds, {
      quantile: 0.5,
      unit: 'µs',
      atMost: 50,
    }),
    limitOf('The answer of an open breaker', openRounds, { quantile: 0.99, unit: 'µs', atMost: 1_000 }),
  ];
  for (const result of results) print(describeLimit(result));
  return results;
}
