/** Payment is killed, and stays away for a while, under load. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer, type Answer } from '../client.ts';
import { expectOnce } from '../in-flight.ts';
import { evidence } from '../ledger/evidence.ts';
import { latenciesOf } from '../measure.ts';
import {
  breakerState,
  idOf,
  openLoop,
  orderAt,
  paidAgain,
  policyOf,
  untilAllShipped,
} from '../resilience.ts';
import { pidOf, readStack } from '../stack.ts';
import { readTrace } from '../traces.ts';
import { NeverError, waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'wool-door-stop';
const route = 'post /api/v1/payments'; // Zipkin lowers it

let customer: Customer;
beforeAll(async () => {
  customer = await Customer.of(stack, 'payment-outage');
});
const orderAtService = (idempotencyKey?: string, headers = {}): Promise<Answer> =>
  orderAt(stack, customer, { productId, idempotencyKey, headers });

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
  const wholeTrace = (traceId: string): Promise<{ readonly traceId: string; readonly failed: number }> =>
    waitFor(
      `the whole trace ${traceId}`,
      async () => {
        const spans = (await readTrace(stack, traceId)) ?? [];
        const attempts = spans.filter(({ kind, name }) => kind === 'CLIENT' && name === route);
        const failed = attempts.filter(({ tags }) => tags.error !== undefined).length;
        const services = new Set(spans.map(({ localEndpoint }) => localEndpoint.serviceName));
        const isWhole =
          attempts.length > failed &&
          ['order', 'product', 'payment', 'notification', 'shipping'].every((name) => services.has(name)) &&
          spans.some(
            ({ kind, localEndpoint }) => kind === 'CONSUMER' && localEndpoint.serviceName === 'order',
          );
        return isWhole ? { traceId, failed } : undefined;
      },
      { deadlineMs: 30_000, intervalMs: 250 },
    );

  /** Traces in which something of a payment failed, among those of the orders: Zipkin looks at a trace as a whole. */
  const tracesWithErrors = async (placed: readonly Placed[]): Promise<readonly string[]> => {
    const query = new URLSearchParams({
      serviceName: 'order',
      spanName: route,
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
      await paidAgain(stack, orderAtService);
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

      const erroneous = await tracesWithErrors(placed);
      const queuedOrders = placed.filter(({ status }) => status === 202);
      expect(queuedOrders.length).toBeGreaterThan(0);
      const others = queuedOrders.map(({ traceId }) => traceId).filter((id) => !erroneous.includes(id));
      const withFailures = (await Promise.all(erroneous.map(wholeTrace))).filter(({ failed }) => failed > 0);
      expect(withFailures.length).toBeGreaterThan(0);
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
        tracesWithFailedAttempts: withFailures.length,
        failedAttemptsInThem: withFailures.reduce((sum, { failed }) => sum + failed, 0),
        otherTracesLookedAt: Math.min(sampled, others.length),
        trace: withFailures[0]?.traceId,
      };
      evidence(context, ['US8.4', 'FR-013'], measured);
      process.stdout.write(`payment killed: ${JSON.stringify(measured)}\n`);
    },
  );
});
