import { randomUUID } from 'node:crypto';
import { OrderPage, Problem } from '@parley/contracts/rest';
import { afterAll, describe, expect, it } from 'vitest';
import { ask, Customer, type Answer } from '../client.ts';
import { gatewayCounter, gatewayLog, type Logged } from '../gateway-log.ts';
import { evidence } from '../ledger/evidence.ts';
import { latenciesOf } from '../measure.ts';
import { openLoop } from '../open-loop.ts';
import { queryNow } from '../prometheus.ts';
import { policyOf } from '../resilience.ts';
import { mintToken, pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const { gateway } = stack.endpoints;
const productId = 'wool-door-stop';
const limit = 100;
const windowMs = 1000;
const deadlineMs = 120_000;
/** Bursts until some of one is refused: a machine that is busy with others may take longer than the window for one. */
const BURSTS_MAX = 5;
afterAll(() => untilWell(stack));

/** One who asks as fast as it likes, each request under a correlation id of its own. */
const client = async (name: string) => {
  const authorization = `Bearer ${await mintToken(stack, { sub: `${name}-${randomUUID()}` })}`;
  const ids: string[] = [];
  const send = (
    path: string,
    init: { readonly method?: string; readonly body?: unknown } = {},
  ): Promise<Answer> => {
    const id = `limit-${randomUUID()}`;
    ids.push(id);
    const headers = { authorization, 'x-correlation-id': id, 'idempotency-key': id };
    return ask(`${gateway.url}${path}`, { ...init, headers });
  };
  return { ids, send };
};

const isRefused = ({ status }: { readonly status: number }): boolean => status === 429;
const admittedIn = (log: readonly Logged[]): readonly number[] =>
  log.filter((line) => !isRefused(line)).map(({ decidedAtMs }) => decidedAtMs);

/** What a limiter without a fault lets through of these arrivals: in any window at most `limit`. */
const ideal = (arrivals: readonly number[]): number => {
  const let_through: number[] = [];
  for (const at of arrivals) {
    const oldest = let_through[let_through.length - limit];
    if (oldest === undefined || at - oldest >= windowMs) let_through.push(at);
  }
  return let_through.length;
};

/** The most that lie within one window, wherever it begins. */
const mostInAnyWindow = (times: readonly number[]): number =>
  Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length));

/** What the client has left behind one request that was let through, by when each of its requests was decided. */
const leftBehind = (log: readonly Logged[], id: string): number => {
  const decidedAtMs = log.find(({ correlationId }) => correlationId === id)?.decidedAtMs ?? Number.NaN;
  return limit - admittedIn(log).filter((at) => at > decidedAtMs - windowMs && at <= decidedAtMs).length;
};

/** Refused although fewer than the limit had been let through in the window before. */
const falselyRefused = (log: readonly Logged[]): number => {
  const admitted = admittedIn(log);
  return log
    .filter(isRefused)
    .filter(
      ({ decidedAtMs }) =>
        admitted.filter((at) => at > decidedAtMs - windowMs && at <= decidedAtMs).length < limit,
    ).length;
};

describe('the limit of 100 requests a second for each client', () => {
  it('lets a client at 150 a second have exactly its 100 in any second, and one below the limit all of its own (US3.2, FR-007, SC-005)', async (context) => {
    const [greedy, modest] = [await client('greedy'), await client('modest')];
    const countedBefore = await gatewayCounter(gateway.admin, 'envoy_parley_gateway_limited', 'orders');
    const [answers, modestAnswers] = await Promise.all([
      openLoop({ perSecond: 150, count: 3000 }, () => greedy.send('/api/v1/orders?limit=1')),
      openLoop({ perSecond: 40, count: 800 }, () => modest.send('/api/v1/orders?limit=1')),
    ]);
    const log = await gatewayLog(stack, greedy.ids);
    const admitted = admittedIn(log);
    const firstAt = log[0]?.decidedAtMs ?? 0;
    const perSecond: number[] = [];
    for (const at of admitted) {
      const second = Math.floor((at - firstAt) / windowMs);
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
    const refused = answers.filter(isRefused);
    const counted = await gatewayCounter(gateway.admin, 'envoy_parley_gateway_limited', 'orders');
    const measured = {
      offered: answers.length,
      offeredPerSecond: 150,
      admitted: admitted.length,
      idealAdmitted: ideal(log.map(({ decidedAtMs }) => decidedAtMs)),
      admittedPerSecond: perSecond,
      mostAdmittedInAnyWindow: mostInAnyWindow(admitted),
      falselyRefused: falselyRefused(log),
      refusedAndCounted: [refused.length, counted - countedBefore],
      clientBelowTheLimit: { offered: modestAnswers.length, refused: modestAnswers.filter(isRefused).length },
    };
    expect(refused.length).toBeGreaterThan(0);
    expect(measured.mostAdmittedInAnyWindow).toBe(limit);
    expect(measured.admitted).toBe(measured.idealAdmitted);
    expect(measured.falselyRefused).toBe(0);
    expect(modestAnswers.map(({ status }) => status)).toEqual(modestAnswers.map(() => 200));
    expect(counted - countedBefore).toBe(refused.length);
    for (const { body, headers } of refused) {
      expect(Problem.parse(body)).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
      expect(headers.get('content-type')).toBe('application/problem+json');
      expect(headers.get('retry-after')).toBe('1');
      expect(headers.get('ratelimit-policy')).toBe('"client";q=100;w=1');
      expect(headers.get('ratelimit')).toBe('"client";r=0;t=1');
    }
    await waitFor(
      'the refusals in Prometheus',
      async () => {
        const [series] = await queryNow(stack, 'sum(envoy_parley_gateway_limited{route=~".*orders.*"})');
        return (series?.value ?? 0) >= counted ? true : undefined;
      },
      { deadlineMs, intervalMs: 500 },
    );
    evidence(context, ['US3.2', 'FR-007', 'SC-005'], measured);
  });
});

describe('limit and breaker', () => {
  it('are active at once and counted apart: what is limited reaches no service, and a fallback is one request like any other (EC-6)', async (context) => {
    const order = { method: 'POST', body: { productId, quantity: 1 } };
    const payment = pidOf(stack, 'payment');
    const opener = await Customer.of(stack, 'opener');
    process.kill(payment, 'SIGSTOP'); // it takes connections and answers nothing
    try {
      const isClosed = async (): Promise<boolean> => (await policyOf(stack, 'payment')).state === 'closed';
      const opened = async (): Promise<true | undefined> => {
        await Promise.all(Array.from({ length: 4 }, () => opener.order({ productId, quantity: 1 })));
        return (await isClosed()) ? undefined : true;
      };
      await waitFor('the breaker to payment to open', opened, { deadlineMs });
      const both = await client('both');
      const fallbacks: Answer[] = [];
      for (let index = 0; index < 5; index += 1) fallbacks.push(await both.send('/api/v1/orders', order));
      const idsOfFallbacks = [...both.ids];
      const reads: Answer[] = [];
      for (let n = 0; n < BURSTS_MAX && !reads.some(isRefused); n += 1)
        reads.push(
          ...(await openLoop({ perSecond: 1000, count: 200 }, () => both.send('/api/v1/orders?limit=1'))),
        );
      const late = await Promise.all([1, 2, 3].map(() => both.send('/api/v1/orders', order)));
      expect(await isClosed()).toBe(false);
      const log = await gatewayLog(stack, both.ids);
      const limited = log.filter(isRefused);
      const limitedOrders = late.filter(isRefused).length;
      expect(fallbacks.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
      expect(limited.length).toBeGreaterThan(0);
      expect(reads.some(isRefused)).toBe(true);
      expect(limited.filter(({ reachedService }) => reachedService)).toEqual([]);
      expect(log.filter((line) => !isRefused(line)).every(({ reachedService }) => reachedService)).toBe(true);
      expect(mostInAnyWindow(admittedIn(log))).toBeLessThanOrEqual(limit);
      expect(falselyRefused(log)).toBe(0);
      // Each fallback has taken one of the client's requests from it, as an answer of any other kind would: 99, 98, … are left,
      // unless one of them was a probe, for which payment was waited for, or the machine took longer than the window for five.
      const left = fallbacks.map(({ headers }) =>
        Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]),
      );
      expect(left).toEqual(idsOfFallbacks.map((id) => leftBehind(log, id)));
      const orders = await waitFor(
        'the window to have passed',
        async () => {
          const answer = await both.send('/api/v1/orders?limit=100');
          return answer.status === 200 ? OrderPage.parse(answer.body).items : undefined;
        },
        { deadlineMs },
      );
      expect(orders).toHaveLength(fallbacks.length + late.length - limitedOrders);
      evidence(context, ['EC-6'], {
        fallbackMs: latenciesOf(fallbacks.map(({ latencyMs }) => latencyMs)),
        fallbacks: fallbacks.length,
        leftOfTheLimitAfterEachFallback: left,
        limited: limited.length,
        limitedThatReachedAService: limited.filter(({ reachedService }) => reachedService).length,
        ordersMade: orders.length,
        limitedWhileTheBreakerWasOpen: limitedOrders,
      });
    } finally {
      process.kill(payment, 'SIGCONT');
    }
    const after = await Customer.of(stack, 'after');
    await waitFor(
      'payment to be asked again',
      async () => ((await after.order({ productId, quantity: 1 })).status === 201 ? true : undefined),
      { deadlineMs, intervalMs: 500 },
    );
  });
});
