/** Payment is made to fail, hang and die; what order does about it is counted on both sides. */
import { randomUUID } from 'node:crypto';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderResource } from '@parley/contracts/rest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer, type Answer } from '../client.ts';
import { expectOnce } from '../in-flight.ts';
import { evidence } from '../ledger/evidence.ts';
import { latenciesOf, type Latencies } from '../measure.ts';
import {
  breakerChanges,
  breakerState,
  callsMet,
  openLoop,
  policyOf,
  setFaults,
  untilAllShipped,
} from '../resilience.ts';
import { pidOf, readStack } from '../stack.ts';
import { readTrace, Span } from '../traces.ts';
import { NeverError, waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'wool-door-stop';
const route = 'POST /api/v1/payments';
const CALLS_MAX = 100_000;
const FALLBACK_MS_MAX = 50;
const WINDOWS_MAX = 8;
/** Before the next probe, so that none of the answers is one. */
const MARGIN_MS = 300;
const shippedDeadlineMs = 60_000;
const queued = { status: 'PAYMENT_PENDING', notice: 'payment queued for retry' };

let customer: Customer;
beforeAll(async () => {
  customer = await Customer.of(stack, 'resilience');
});
afterAll(() => setFaults(stack, 'payment', []));

/** An order at the service itself, as the gateway would hand it on. */
const orderAtService = (idempotencyKey: string = randomUUID(), headers = {}): Promise<Answer> =>
  ask(`${stack.endpoints.order.http}/api/v1/orders`, {
    method: 'POST',
    headers: { [httpHeaders.userId]: customer.sub, [httpHeaders.idempotencyKey]: idempotencyKey, ...headers },
    body: { productId, quantity: 1 },
  });
const idOf = (answer: Answer): string => OrderResource.parse(answer.body).orderId;

/** Payment well, the breaker closed, and no failure in a row. */
const wellAgain = async (): Promise<void> => {
  await setFaults(stack, 'payment', []);
  await waitFor(
    'an order to be paid',
    async () => ((await orderAtService()).status === 201 ? true : undefined),
    { deadlineMs: 30_000, intervalMs: 200 },
  );
  await breakerState(stack, 'payment', 'closed', 30_000);
};
const allShipped = (orderIds: readonly string[]): Promise<unknown> =>
  Promise.all(orderIds.map((id) => customer.status(id, 'SHIPPED', shippedDeadlineMs)));

interface WhileOpen {
  readonly newOrders: Latencies;
  readonly repeated: Latencies;
}

/**
 * Orders while the breaker is open, in one such time: each is answered with the fallback, and payment is not asked.
 * Undefined when the machine was so busy that the time was over before the last answer.
 */
const whileOpen = async (
  openMs: number,
  orderIds: string[],
  repeatedKey: string,
): Promise<WhileOpen | undefined> => {
  await orderAtService(repeatedKey); // when the wait is over, it is the probe that opens the breaker again
  const { nextProbeAt = '' } = await breakerState(stack, 'payment', 'open', 5 * openMs);
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
  const of = (answers: readonly Answer[]) => latenciesOf(answers.map(({ latencyMs }) => latencyMs));
  return { newOrders: of(fresh), repeated: of(repeated) };
};

const isQuick = (latency: WhileOpen | undefined): latency is WhileOpen =>
  latency !== undefined &&
  latency.repeated.p99Ms < FALLBACK_MS_MAX &&
  latency.newOrders.p50Ms < FALLBACK_MS_MAX;

/** The one that says more of the service and less of what else the machine did. */
const quicker = (a: WhileOpen | undefined, b: WhileOpen | undefined): WhileOpen | undefined =>
  a === undefined || (b !== undefined && b.repeated.p99Ms < a.repeated.p99Ms) ? b : a;

describe('the breaker from order to payment', () => {
  it('opens after exactly the configured failures, answers with the fallback at once, probes, and closes by itself (US6.1, US6.2, US6.4, US8.4, FR-013, FR-015, SC-009)', async (context) => {
    await wellAgain();
    const sinceMs = Date.now();
    const { settings } = await policyOf(stack, 'payment');
    const orderIds: string[] = [];
    try {
      await setFaults(stack, 'payment', [{ route, status: 503, calls: CALLS_MAX }]);
      // One after the other, so that no call is under way when it opens.
      while ((await policyOf(stack, 'payment')).state === 'closed')
        orderIds.push(idOf(await orderAtService()));
      const failures = await callsMet(stack, 'payment', CALLS_MAX);
      expect(failures).toBe(settings.breakerFailures);

      // Open: nobody is asked, and everybody is answered. The same order again writes nothing, so what is measured of it is
      // the fallback and nothing else. On a machine that is busy with others, a later window may tell what the first did not.
      const repeatedKey = randomUUID();
      orderIds.push(idOf(await orderAtService(repeatedKey)));
      let latency: WhileOpen | undefined;
      for (let windows = 0; windows < WINDOWS_MAX && !isQuick(latency); windows += 1)
        latency = quicker(latency, await whileOpen(settings.timeoutMs, orderIds, repeatedKey));
      expect(latency?.repeated.p99Ms).toBeLessThan(FALLBACK_MS_MAX);
      expect(latency?.newOrders.p50Ms).toBeLessThan(FALLBACK_MS_MAX);

      // Half-open: as many probes as it has, while they hang and everybody else is answered at once.
      await setFaults(stack, 'payment', [{ route, failure: 'hang', calls: CALLS_MAX }]);
      const { nextProbeAt = '' } = await breakerState(stack, 'payment', 'open', 10_000);
      await waitFor('the wait to be over', () => (Date.now() > Date.parse(nextProbeAt) ? true : undefined), {
        deadlineMs: settings.breakerWaitMs + 1_000,
      });
      const probing = Array.from({ length: settings.breakerProbes }, () => orderAtService());
      await waitFor(
        'every probe to be out',
        async () =>
          (await callsMet(stack, 'payment', CALLS_MAX)) === settings.breakerProbes ? true : undefined,
        { deadlineMs: settings.timeoutMs, intervalMs: 5 },
      );
      const probesEndAtMs = performance.now() + settings.timeoutMs / 2;
      const whileProbing: Answer[] = [];
      while (whileProbing.length < 20 && performance.now() < probesEndAtMs)
        whileProbing.push(await orderAtService(repeatedKey));
      const state = (await policyOf(stack, 'payment')).state;
      expect(state).toBe('half-open');
      expect(await callsMet(stack, 'payment', CALLS_MAX)).toBe(settings.breakerProbes);
      for (const { status } of whileProbing) expect(status).toBe(202);
      const hanging = latenciesOf(whileProbing.map(({ latencyMs }) => latencyMs));
      expect(hanging.p50Ms).toBeLessThan(FALLBACK_MS_MAX);
      orderIds.push(...(await Promise.all(probing)).map(idOf));

      // Payment is well again: probes succeed, the breaker closes, and what was queued is paid and shipped.
      await setFaults(stack, 'payment', []);
      await breakerState(stack, 'payment', 'closed', 30_000);
      await allShipped(orderIds);
      const counted = await expectOnce(stack, [...new Set(orderIds)]);
      const changes = breakerChanges(stack, 'payment', sinceMs).map(({ from, to }) => `${from} -> ${to}`);
      expect(changes[0]).toBe('closed -> open');
      expect(changes).toContain('open -> half-open');
      expect(changes.at(-1)).toBe('half-open -> closed');
      evidence(context, ['US6.1', 'US6.2', 'US6.4', 'US8.4', 'FR-013', 'FR-015', 'SC-009'], {
        configured: settings,
        callsUntilOpen: failures,
        callsWhileOpen: 0,
        probes: settings.breakerProbes,
        fallback: queued,
        latencyOfFallbacks: { ...latency, whileProbesHang: hanging },
        changes,
        orders: orderIds.length,
        ...counted,
      });
      process.stdout.write(`breaker: ${JSON.stringify({ failures, latency, hanging, changes })}\n`);
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
        { deadlineMs: 15_000, intervalMs: 250 },
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
  /** An answer may take this much longer on a busy machine. */
  const slackMs = 1_000;

  it('is the budget of everything below the gateway: payment that takes longer is not waited for, and the order goes on (FR-013)', async (context) => {
    await wellAgain();
    const traceId = randomUUID().replaceAll('-', '');
    await setFaults(stack, 'payment', [{ route, failure: 'none', latencyMs: 2 * timeoutMs, calls: 1 }]);
    const headers = {
      [httpHeaders.timeoutMs]: String(timeoutMs),
      [httpHeaders.traceparent]: `00-${traceId}-${traceId.slice(0, 16)}-01`,
    };
    const answer = await customer.order({ productId, quantity: 1, headers });
    expect(answer.status).toBe(202);
    expect(answer.latencyMs).toBeLessThan(timeoutMs + slackMs);
    const orderId = idOf(answer);
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
      { deadlineMs: 15_000, intervalMs: 250 },
    );
    const lastedMs = attempts
      .filter(({ tags }) => tags.error !== undefined)
      .map((span) => z.looseObject({ duration: z.number() }).parse(span).duration / 1_000);
    expect(lastedMs.length).toBeGreaterThan(0);
    for (const ms of lastedMs) expect(ms).toBeLessThan(timeoutMs);
    evidence(context, ['FR-013'], {
      clientTimeoutMs: timeoutMs,
      answer: { status: answer.status, latencyMs: Math.round(answer.latencyMs) },
      attemptsAtPaymentMs: lastedMs.map(Math.round),
      ...counted,
      traceId,
    });
  });
});

/** What became of the orders while payment was away. */
interface Placed {
  readonly orderId: string;
  readonly traceId: string;
  /** Of the answer that took it. */
  readonly status: number;
  readonly latencyMs: number;
}

describe('payment dies under load', () => {
  const perSecond = 50;
  const seconds = 24;
  /** No new process of payment is killed after so long; its supervisor pauses for up to 8 s before it starts one. */
  const killedForMs = 18_000;
  /** A process that was just started is killed before it answers. */
  const startingMs = 700;
  const awayMsMin = 15_000;
  const backDeadlineMs = 60_000;
  const allShippedMs = 150_000;
  const tracesMax = 300;
  /** Orders whose trace is looked at though no attempt of theirs failed. */
  const sampled = 20;

  const place = async (): Promise<Placed> => {
    const idempotencyKey = randomUUID();
    const traceId = randomUUID().replaceAll('-', '');
    const traceparent = `00-${traceId}-${traceId.slice(0, 16)}-01`;
    const send = async (): Promise<Answer | undefined> => {
      const answer = await orderAtService(idempotencyKey, { traceparent }).catch(() => undefined);
      if (answer === undefined || answer.status >= 500) return undefined;
      if (answer.status >= 400) throw new NeverError(`refused for good: ${JSON.stringify(answer.body)}`);
      return answer;
    };
    const answer = await waitFor('an order to be taken', send, { deadlineMs: 30_000, intervalMs: 200 });
    return { orderId: idOf(answer), traceId, status: answer.status, latencyMs: answer.latencyMs };
  };

  /** Kills payment, and whatever its supervisor starts in its place; answers how often, and for how long it was away. */
  const killPayment = async (): Promise<{ readonly killed: number; readonly awayMs: number }> => {
    const startedAtMs = performance.now();
    const seenAtMs = new Map<number, number>([[pidOf(stack, 'payment'), -startingMs]]);
    const killed = new Set<number>();
    const kill = (): true | undefined => {
      const nowMs = performance.now() - startedAtMs;
      if (nowMs > killedForMs) return true;
      try {
        const pid = pidOf(stack, 'payment');
        if (!seenAtMs.has(pid)) seenAtMs.set(pid, nowMs);
        if (killed.has(pid) || nowMs - (seenAtMs.get(pid) ?? 0) < startingMs) return undefined;
        process.kill(pid, 'SIGKILL');
        killed.add(pid);
      } catch {
        // it does not run at the moment
      }
      return undefined;
    };
    await waitFor('payment to have been away', kill, { deadlineMs: killedForMs + 5_000, intervalMs: 20 });
    await waitFor(
      'payment to be back',
      async () => {
        const answer = await ask(`${stack.endpoints.payment.ops}/readyz`).catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      },
      { deadlineMs: backDeadlineMs, intervalMs: 50 },
    );
    return { killed: killed.size, awayMs: Math.round(performance.now() - startedAtMs) };
  };

  /** The trace of an order once it goes from its request to the order service until its shipment is recorded there. */
  const wholeTrace = (traceId: string): Promise<{ readonly failed: number }> =>
    waitFor(
      `the whole trace ${traceId}`,
      async () => {
        const spans = (await readTrace(stack, traceId)) ?? [];
        const attempts = spans.filter(({ kind, name }) => kind === 'CLIENT' && name === route.toLowerCase());
        const failed = attempts.filter(({ tags }) => tags.error !== undefined).length;
        const services = new Set(spans.map(({ localEndpoint }) => localEndpoint.serviceName));
        const isWhole =
          attempts.length > failed &&
          ['order', 'product', 'payment', 'notification', 'shipping'].every((name) => services.has(name)) &&
          spans.some(
            ({ kind, localEndpoint }) => kind === 'CONSUMER' && localEndpoint.serviceName === 'order',
          );
        return isWhole ? { failed } : undefined;
      },
      { deadlineMs: 30_000, intervalMs: 250 },
    );

  /** Traces in which an attempt at payment failed, among those of the orders. */
  const tracesWithFailures = async (placed: readonly Placed[]): Promise<readonly string[]> => {
    const query = new URLSearchParams({
      serviceName: 'order',
      spanName: route.toLowerCase(),
      annotationQuery: 'error',
      limit: String(tracesMax),
      lookback: '240000',
    });
    const answer = await ask(`${stack.endpoints.traces.api}/traces?${query.toString()}`);
    const ours = new Set(placed.map(({ traceId }) => traceId));
    const found = z.array(z.array(z.looseObject({ traceId: z.string() }))).parse(answer.body);
    return found.flatMap(([first]) =>
      first !== undefined && ours.has(first.traceId) ? [first.traceId] : [],
    );
  };

  it(
    'for 20 s: no order is lost, none is charged twice, all are SHIPPED, each as one trace, and a dead payment is hardly called (US8.4, FR-013)',
    { timeout: 300_000 },
    async (context) => {
      await wellAgain();
      const answered: Placed[] = [];
      const placing = openLoop({ count: perSecond * seconds, everyMs: 1_000 / perSecond }, async () => {
        const order = await place();
        answered.push(order);
        return order;
      });
      await waitFor('the load to have begun', () => (answered.length > perSecond ? true : undefined), {
        deadlineMs: 20_000,
      });
      const [before, answeredBefore] = [(await policyOf(stack, 'payment')).counts, answered.length];
      const { killed, awayMs } = await killPayment();
      const [during, requests] = [
        (await policyOf(stack, 'payment')).counts,
        answered.length - answeredBefore,
      ];
      const placed = await placing;
      await breakerState(stack, 'payment', 'closed', 60_000);
      const orderIds = placed.map(({ orderId }) => orderId);
      await untilAllShipped(customer, orderIds, allShippedMs);
      const counted = await expectOnce(stack, orderIds);
      const attempts = during.attempts - before.attempts;
      expect(awayMs).toBeGreaterThan(awayMsMin);
      expect(attempts).toBeLessThanOrEqual(1.2 * requests);

      const failedTraces = await tracesWithFailures(placed);
      const queuedOrders = placed.filter(({ status }) => status === 202);
      expect(failedTraces.length).toBeGreaterThan(0);
      expect(queuedOrders.length).toBeGreaterThan(0);
      const others = queuedOrders.map(({ traceId }) => traceId).filter((id) => !failedTraces.includes(id));
      const withFailures = await Promise.all(failedTraces.map(wholeTrace));
      for (const { failed } of withFailures) expect(failed).toBeGreaterThan(0);
      await Promise.all(others.slice(0, sampled).map(wholeTrace));

      const answers = Object.fromEntries(
        [...Map.groupBy(placed, ({ status }) => status)].map(([status, of]) => [status, of.length]),
      );
      const fallbacks = latenciesOf(queuedOrders.map(({ latencyMs }) => latencyMs));
      const measured = {
        orders: orderIds.length,
        perSecond,
        killed,
        awayMs,
        ...counted,
        answers,
        latencyOfFallbacks: fallbacks,
        requestsWhileAway: requests,
        attemptsAtPaymentWhileAway: attempts,
        opened: during.opened - before.opened,
        tracesWithFailedAttempts: failedTraces.length,
        failedAttemptsInThem: withFailures.reduce((sum, { failed }) => sum + failed, 0),
        otherTracesLookedAt: Math.min(sampled, others.length),
        trace: failedTraces[0],
      };
      evidence(context, ['US8.4', 'FR-013'], measured);
      process.stdout.write(`payment killed: ${JSON.stringify(measured)}\n`);
    },
  );
});
