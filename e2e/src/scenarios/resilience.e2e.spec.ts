/** Payment is made to fail and to hang; what order does about it is counted on both sides. */
import { randomUUID } from 'node:crypto';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderResource, type OpsPolicy } from '@parley/contracts/rest';
import { attribute, metricDefinitions, prometheusLabel, prometheusName } from '@parley/contracts/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Customer, type Answer } from '../client.ts';
import { expectOnce } from '../in-flight.ts';
import { evidence } from '../ledger/evidence.ts';
import { latenciesOf, type Latencies } from '../measure.ts';
import {
  breakerChanges,
  breakerState,
  callsMet,
  policyOf,
  idOf,
  orderAt,
  paidAgain,
  setFaults,
  untilAllShipped,
} from '../resilience.ts';
import { readStack } from '../stack.ts';
import { readTrace, Span } from '../traces.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const productId = 'wool-door-stop';
const route = 'POST /api/v1/payments';
const CALLS_MAX = 100_000;
/** Until so many calls have failed that the breaker opens, on a slow machine. */
const OPENED_MS_MAX = 120_000;
/** The specification's bound. */
const FALLBACK_MS_MAX = 50;
const WINDOWS_MAX = 20;
const REPEATS = 20;
/** Orders older than this are taken over by the recovery loop, which then asks payment as well. */
const GRACE_MS = 2_000;
/** Before the next probe, so that none of the answers is one. */
const MARGIN_MS = 300;
const shippedDeadlineMs = 240_000;
const closedDeadlineMs = 120_000;
const spansDeadlineMs = 120_000;
const queued = { status: 'PAYMENT_PENDING', notice: 'payment queued for retry' };

let customer: Customer;
beforeAll(async () => {
  customer = await Customer.of(stack, 'resilience');
});
afterAll(async () => {
  await setFaults(stack, 'payment', []);
  await untilWell(stack);
});

const orderAtService = (idempotencyKey?: string, headers = {}): Promise<Answer> =>
  orderAt(stack, customer, { productId, idempotencyKey, headers });
const wellAgain = (): Promise<void> => paidAgain(stack, orderAtService);
const latenciesIn = (answers: readonly Answer[]): Latencies =>
  latenciesOf(answers.map(({ latencyMs }) => latencyMs));

interface WhileOpen {
  readonly newOrders: Latencies;
  readonly repeated: Latencies;
}

/**
 * Orders while the breaker is open, in one such time: each is answered with the fallback, and payment is not asked.
 * Undefined when the machine was so busy that the time was over before the last answer.
 */
const whileOpen = async (orderIds: string[], repeatedKey: string): Promise<WhileOpen | undefined> => {
  await orderAtService(repeatedKey); // when the wait is over, it is the probe that opens the breaker again
  const { nextProbeAt = '' } = await breakerState(stack, 'payment', 'open', closedDeadlineMs);
  const before = await callsMet(stack, 'payment', CALLS_MAX);
  const [fresh, repeated]: [Answer[], Answer[]] = [[], []];
  while (Date.now() < Date.parse(nextProbeAt) - MARGIN_MS) {
    fresh.push(await orderAtService());
    repeated.push(await orderAtService(repeatedKey));
  }
  const met = await callsMet(stack, 'payment', CALLS_MAX);
  for (const { status, body } of [...fresh, ...repeated]) {
    expect(status).toBe(202);
    expect(OrderResource.parse(body)).toMatchObject(queued);
  }
  orderIds.push(...fresh.map(idOf));
  if (fresh.length === 0 || Date.now() >= Date.parse(nextProbeAt)) return undefined;
  expect(met).toBe(before);
  return { newOrders: latenciesIn(fresh), repeated: latenciesIn(repeated) };
};

const isQuick = ({ repeated, newOrders }: WhileOpen): boolean =>
  repeated.p99Ms < FALLBACK_MS_MAX && newOrders.p50Ms < FALLBACK_MS_MAX;

/**
 * Measures in one window after the other until one is quick enough, or there were as many as there may be: on a machine
 * that is busy with others, a later one may tell of the service what the first did not. Answers all, so that the evidence
 * says how many it took; a window in which nothing could be measured has none.
 */
const measuredUntil = async <T>(
  measure: () => Promise<T | undefined>,
  isEnough: (measured: T) => boolean,
): Promise<{ readonly windows: number; readonly measured: readonly T[] }> => {
  const measured: T[] = [];
  for (let windows = 1; windows <= WINDOWS_MAX; windows += 1) {
    const latency = await measure();
    if (latency === undefined) continue;
    measured.push(latency);
    if (isEnough(latency)) return { windows, measured };
  }
  return { windows: WINDOWS_MAX, measured };
};

/** How often the breaker to payment came into each state, as the order service counted it. */
const changesCounted = async (): Promise<Readonly<Record<string, number>>> => {
  const response = await fetch(`${stack.endpoints.order.ops}/metrics`, {
    signal: AbortSignal.timeout(60_000),
  });
  const state = new RegExp(`${prometheusLabel(attribute.breakerState)}="([^"]*)"`);
  const series = (await response.text())
    .split('\n')
    .filter((line) => line.startsWith(`${prometheusName(metricDefinitions.breakerChanges)}{`))
    .filter((line) => line.includes(`${prometheusLabel(attribute.policy)}="payment"`));
  return Object.fromEntries(
    series.map((line) => [state.exec(line)?.[1] ?? '', Number(line.split(' ').at(-1))]),
  );
};

/** Lets payment fail, one order after the other, until the breaker is open; answers how many calls failed. */
const openBreaker = async (
  orderIds: string[],
): Promise<{ readonly failures: number; readonly tookMs: number }> => {
  await setFaults(stack, 'payment', [{ route, status: 503, calls: CALLS_MAX }]);
  const startedAtMs = performance.now();
  while ((await policyOf(stack, 'payment')).state === 'closed') {
    if (performance.now() - startedAtMs > OPENED_MS_MAX)
      throw new Error('payment fails, and its breaker is closed');
    orderIds.push(idOf(await orderAtService()));
  }
  const tookMs = performance.now() - startedAtMs;
  return { failures: await callsMet(stack, 'payment', CALLS_MAX), tookMs };
};

/**
 * The same order again and again while the breaker is half-open: as many probes as it has are out and hang, and nobody
 * else asks payment. Undefined when the breaker was open again, the probes being timed out, before all were out or anybody
 * was answered.
 */
const whileHalfOpen = async (
  { breakerProbes, breakerWaitMs, timeoutMs }: OpsPolicy['settings'],
  orderIds: string[],
  repeatedKey: string,
): Promise<Latencies | undefined> => {
  await setFaults(stack, 'payment', [{ route, failure: 'hang', calls: CALLS_MAX }]);
  const { nextProbeAt = '' } = await breakerState(stack, 'payment', 'open', closedDeadlineMs);
  const before = await callsMet(stack, 'payment', CALLS_MAX); // a probe may have been out when it began to hang
  await waitFor('the wait to be over', () => (Date.now() > Date.parse(nextProbeAt) ? true : undefined), {
    deadlineMs: breakerWaitMs + closedDeadlineMs,
  });
  const probing = Array.from({ length: breakerProbes }, () => orderAtService());
  const areOut = await waitFor(
    'every probe to be out',
    async () => ((await callsMet(stack, 'payment', CALLS_MAX)) >= before + breakerProbes ? true : undefined),
    { deadlineMs: timeoutMs, intervalMs: 5 },
  ).catch(() => false);
  const repeated: Answer[] = [];
  while (areOut && repeated.length < REPEATS) {
    const answer = await orderAtService(repeatedKey);
    const met = await callsMet(stack, 'payment', CALLS_MAX);
    if ((await policyOf(stack, 'payment')).state !== 'half-open') break;
    expect(answer.status).toBe(202);
    expect(met).toBe(before + breakerProbes);
    repeated.push(answer);
  }
  orderIds.push(...(await Promise.all(probing)).map(idOf));
  return repeated.length === 0 ? undefined : latenciesIn(repeated);
};

describe('the breaker from order to payment', () => {
  it('opens after exactly the configured failures, answers with the fallback at once, probes, and closes by itself (US6.1, US6.2, US6.4, US8.4, FR-013, FR-015, SC-009)', async (context) => {
    await wellAgain();
    const sinceMs = Date.now();
    const { settings } = await policyOf(stack, 'payment');
    const countedBefore = await changesCounted();
    const orderIds: string[] = [];
    try {
      // One after the other, so that no call is under way when it opens; of one that took long, the recovery loop's may be.
      let { failures, tookMs } = await openBreaker(orderIds);
      for (let n = 1; n < WINDOWS_MAX && failures > settings.breakerFailures && tookMs > GRACE_MS; n += 1) {
        await wellAgain();
        await untilAllShipped(customer, orderIds, shippedDeadlineMs); // else it would ask for these
        ({ failures, tookMs } = await openBreaker(orderIds));
      }
      expect(failures).toBe(settings.breakerFailures);

      // Open: nobody is asked, and everybody is answered. The same order again writes nothing, so what is measured of it is
      // the fallback and nothing else. Of a new order, which is recorded first, only the median is bounded.
      const repeatedKey = randomUUID();
      orderIds.push(idOf(await orderAtService(repeatedKey)));
      const open = await measuredUntil(() => whileOpen(orderIds, repeatedKey), isQuick);
      const latency = open.measured.at(-1);
      expect(latency?.repeated.p99Ms).toBeLessThan(FALLBACK_MS_MAX);
      expect(latency?.newOrders.p50Ms).toBeLessThan(FALLBACK_MS_MAX);

      // Half-open: as many probes as it has, while they hang and everybody else is answered at once.
      const halfOpen = await measuredUntil(
        () => whileHalfOpen(settings, orderIds, repeatedKey),
        ({ p99Ms }) => p99Ms < FALLBACK_MS_MAX,
      );
      const hanging = halfOpen.measured.at(-1);
      expect(hanging?.p99Ms).toBeLessThan(FALLBACK_MS_MAX);

      // Payment is well again: probes succeed, the breaker closes, and what was queued is paid and shipped.
      await setFaults(stack, 'payment', []);
      await breakerState(stack, 'payment', 'closed', closedDeadlineMs);
      await untilAllShipped(customer, orderIds, shippedDeadlineMs);
      const counted = await expectOnce(stack, [...new Set(orderIds)]);
      const logged = breakerChanges(stack, 'payment', sinceMs);
      const changes = logged.map(({ from, to }) => `${from} -> ${to}`);
      expect(changes[0]).toBe('closed -> open');
      expect(changes).toContain('open -> half-open');
      expect(changes.at(-1)).toBe('half-open -> closed');
      // Each of them is counted, too, by the state that it led to.
      const countedAfter = await changesCounted();
      const countedChanges = Object.fromEntries(
        Object.entries(countedAfter).map(([state, count]) => [state, count - (countedBefore[state] ?? 0)]),
      );
      const ofState = (state: string): number => logged.filter(({ to }) => to === state).length;
      expect(countedChanges).toEqual({
        open: ofState('open'),
        'half-open': ofState('half-open'),
        closed: ofState('closed'),
      });
      evidence(context, ['US6.1', 'US6.2', 'US6.4', 'US8.4', 'FR-013', 'FR-015', 'SC-009'], {
        configured: settings,
        callsUntilOpen: failures,
        callsWhileOpen: 0,
        probes: settings.breakerProbes,
        fallback: queued,
        latencyOfFallbacks: { ...latency, whileProbesHang: hanging },
        bounded: {
          belowMs: FALLBACK_MS_MAX,
          whileOpen: 'p99 of a repeated order and p50 of a new one, in one window of at most so many',
          whileProbesHang: 'p99 of a repeated order, in one window of at most so many',
          windowsMax: WINDOWS_MAX,
        },
        windowsWhileOpen: open.windows,
        eachWhileOpen: open.measured.map(({ repeated, newOrders }) => ({
          repeatedP99Ms: repeated.p99Ms,
          newP50Ms: newOrders.p50Ms,
          newP99Ms: newOrders.p99Ms,
        })),
        windowsWhileProbesHang: halfOpen.windows,
        eachWhileProbesHangP99Ms: halfOpen.measured.map(({ p99Ms }) => p99Ms),
        changes,
        countedChanges,
        orders: orderIds.length,
        ...counted,
      });
      const windows = { open: open.windows, halfOpen: halfOpen.windows };
      process.stdout.write(
        `breaker: ${JSON.stringify({ failures, latency, hanging, windows, changes, countedChanges })}\n`,
      );
    } finally {
      await setFaults(stack, 'payment', []);
    }
  });
});

/** A timer may fire this much before its time. */
const CLOCK_MS = 2;

describe('retries from order to payment', () => {
  it('pause longer and longer, with jitter, and succeed when payment recovers (US6.3, FR-014)', async (context) => {
    await wellAgain();
    const { settings } = await policyOf(stack, 'payment');
    const pauses: { readonly first: number; readonly second: number }[] = [];
    const traces: string[] = [];
    // The retry budget allows two retries for each order.
    for (let n = 0; n < settings.retryBudgetReserve / 2; n += 1) {
      await setFaults(stack, 'payment', [{ route, status: 503, calls: 2 }]);
      const traceId = randomUUID().replaceAll('-', '');
      const traceparent = `00-${traceId}-${traceId.slice(0, 16)}-01`;
      const answer = await orderAtService(randomUUID(), { traceparent });
      if (answer.status !== 201) continue; // the budget had less
      traces.push(traceId);
    }
    expect(traces.length).toBeGreaterThanOrEqual(3);
    for (const traceId of traces) {
      const attempts = await waitFor(
        `the attempts of ${traceId}`,
        async () => {
          const spans = z.array(Span).parse((await readTrace(stack, traceId)) ?? []);
          const calls = spans.filter(
            ({ kind, name, localEndpoint }) =>
              kind === 'CLIENT' && name === route.toLowerCase() && localEndpoint.serviceName === 'order',
          );
          return calls.some(({ tags }) => tags['http.response.status_code'] === '201') ? calls : undefined;
        },
        { deadlineMs: spansDeadlineMs, intervalMs: 250 },
      );
      if (attempts.length !== 3) continue; // an order of before met one of the faults
      const times = attempts
        .map((span) => z.looseObject({ timestamp: z.number(), duration: z.number() }).parse(span))
        .sort((a, b) => a.timestamp - b.timestamp);
      const pauseMs = (index: number): number => {
        const [before, after] = [times[index - 1], times[index]];
        if (before === undefined || after === undefined) throw new Error('too few attempts');
        return (after.timestamp - before.timestamp - before.duration) / 1_000;
      };
      pauses.push({ first: pauseMs(1), second: pauseMs(2) });
      expect(attempts.filter(({ tags }) => tags['http.response.status_code'] === '503')).toHaveLength(2);
    }
    // The first pause is at least half the delay, and each one to three times as long as the one before.
    expect(pauses.length).toBeGreaterThanOrEqual(3);
    for (const { first } of pauses) expect(first).toBeGreaterThan(settings.retryDelayMs / 2 - CLOCK_MS);
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, ms) => sum + ms, 0) / values.length;
    expect(mean(pauses.map(({ second }) => second))).toBeGreaterThan(mean(pauses.map(({ first }) => first)));
    const rounded = pauses.map(({ first, second }) => [Math.round(first), Math.round(second)]);
    expect(new Set(rounded.flat()).size).toBeGreaterThan(pauses.length);
    evidence(context, ['US6.3', 'FR-014'], {
      orders: pauses.length,
      attemptsOfEach: 3,
      pausesMs: rounded,
      meanMs: {
        first: mean(pauses.map(({ first }) => first)),
        second: mean(pauses.map(({ second }) => second)),
      },
      traces,
    });
    process.stdout.write(`retries: pauses of ${pauses.length} orders in ms ${JSON.stringify(rounded)}\n`);
  });
});

describe('the time of a client', () => {
  const timeoutMs = 1_500;

  it('is the budget of everything below the gateway: payment that takes longer is not waited for, and the order goes on (FR-013)', async (context) => {
    await wellAgain();
    const { settings } = await policyOf(stack, 'payment');
    await setFaults(stack, 'payment', [
      { route, failure: 'none', latencyMs: 2 * timeoutMs, calls: CALLS_MAX },
    ]);
    // A busy machine may take longer than the service keeps for its answer (200 ms): then the time is over, which is said.
    // Each order is a trace of its own: the recovery loop takes over one that was answered so, and waits longer for payment.
    const place = async (): Promise<{ readonly answer: Answer; readonly traceId: string } | undefined> => {
      const traceId = randomUUID().replaceAll('-', '');
      const headers = {
        [httpHeaders.timeoutMs]: String(timeoutMs),
        [httpHeaders.traceparent]: `00-${traceId}-${traceId.slice(0, 16)}-01`,
      };
      const answer = await customer.order({ productId, quantity: 1, headers });
      return answer.status === 504 ? undefined : { answer, traceId };
    };
    const { answer, traceId } = await waitFor('an answer in time', place, { deadlineMs: closedDeadlineMs });
    expect(answer.status).toBe(202);
    expect(answer.latencyMs).toBeLessThan(2 * timeoutMs); // sooner than payment would have answered
    const orderId = idOf(answer);
    await setFaults(stack, 'payment', []);
    await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
    const counted = await expectOnce(stack, [orderId]);
    // The call that was under way ended with the request's time, not with the two seconds of its policy.
    const attempts = await waitFor(
      'the attempts at payment',
      async () => {
        const spans = (await readTrace(stack, traceId)) ?? [];
        const calls = spans.filter(({ kind, name }) => kind === 'CLIENT' && name === route.toLowerCase());
        return calls.some(({ tags }) => tags.error === undefined) ? calls : undefined;
      },
      { deadlineMs: spansDeadlineMs, intervalMs: 250 },
    );
    const lastedMs = attempts
      .filter(({ tags }) => tags.error !== undefined)
      .map((span) => z.looseObject({ duration: z.number() }).parse(span).duration / 1_000);
    expect(lastedMs.length).toBeGreaterThan(0);
    for (const ms of lastedMs) expect(ms).toBeLessThan(settings.timeoutMs);
    evidence(context, ['FR-013'], {
      clientTimeoutMs: timeoutMs,
      answer: { status: answer.status, latencyMs: Math.round(answer.latencyMs) },
      attemptsAtPaymentMs: lastedMs.map(Math.round),
      ...counted,
      traceId,
    });
  });
});
