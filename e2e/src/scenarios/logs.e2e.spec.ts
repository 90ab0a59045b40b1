import { randomUUID } from 'node:crypto';
import { serviceNames } from '@parley/contracts/endpoints';
import { httpHeaders } from '@parley/contracts/headers';
import { logFields } from '@parley/contracts/telemetry';
import { describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { runCommand } from '../command.ts';
import { evidence } from '../ledger/evidence.ts';
import { queryLogs, servicesOf } from '../logs.ts';
import { latenciesOf, type Latencies } from '../measure.ts';
import { pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'wool-door-stop';
const everybody = [...serviceNames, 'gateway'].toSorted();
const shippedDeadlineMs = 20_000;
/** Lines are shipped twice a second and can be found a second later. */
const foundDeadlineMs = 20_000;

const shipped = async (customer: Customer, correlationId: string): Promise<string> => {
  const headers = { [httpHeaders.correlationId]: correlationId };
  const { orderId } = await customer.ordered({ productId, quantity: 1, headers });
  await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
  return orderId;
};

/** Lines under the correlation id, once all services and the gateway have theirs there. */
const linesOf = (correlationId: string) =>
  waitFor(
    `lines of ${everybody.join(', ')}`,
    async () => {
      const lines = await queryLogs(stack, `${logFields.correlationId}:="${correlationId}"`);
      return everybody.every((name) => servicesOf(lines).includes(name)) ? lines : undefined;
    },
    { deadlineMs: foundDeadlineMs },
  );

describe('the lines that one order leaves', () => {
  it('in the gateway and all five services are found by one query for its correlation id (US5.2, FR-012, SC-011)', async (context) => {
    const customer = await Customer.of(stack, 'logs');
    const correlationId = `logs-${randomUUID()}`;
    const orderId = await shipped(customer, correlationId);
    const postedAt = performance.now();
    const lines = await linesOf(correlationId);
    const foundAfterMs = Math.round(performance.now() - postedAt);
    expect(servicesOf(lines)).toEqual(everybody);
    const traceIds = [...new Set(lines.map((line) => line[logFields.traceId]))];
    expect(traceIds).toHaveLength(1); // one trace, and no line without it

    const command = [process.execPath, 'platform/launcher/src/main.ts', 'logs', '--json'] as const;
    const byId = await runCommand(stack, [...command, '--correlation', correlationId]);
    expect(byId.stdout.trim().split('\n')).toHaveLength(lines.length);
    const byOrder = await runCommand(stack, [...command, '--order', orderId, '--service', 'payment']);
    expect(byOrder.stdout).toContain(correlationId);

    evidence(context, ['US5.2', 'FR-012', 'SC-011'], {
      correlationId,
      orderId,
      traceId: traceIds[0] ?? '',
      lines: lines.length,
      services: servicesOf(lines).join(' '),
      foundAfterMs,
    });
  });
});

const ordersTimed = 15;
const timed = async (customer: Customer): Promise<Latencies> => {
  const values: number[] = [];
  for (let n = 0; n < ordersTimed; n++) {
    const answer = await customer.order({ productId, quantity: 1 });
    expect(answer.status).toBe(201);
    values.push(answer.latencyMs);
  }
  return latenciesOf(values);
};

describe('a log engine that hangs', () => {
  it('slows no order, and the lines of the meantime are found when it goes on (FR-012)', async (context) => {
    const customer = await Customer.of(stack, 'logs-away');
    const pid = pidOf(stack, 'victoria-logs');
    await timed(customer); // warm
    const before = await timed(customer);
    const correlationId = `logs-${randomUUID()}`;
    let meanwhile: Latencies;
    process.kill(pid, 'SIGSTOP');
    try {
      await shipped(customer, correlationId);
      meanwhile = await timed(customer);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(meanwhile.p50Ms).toBeLessThan(2 * before.p50Ms + 50);
    const lines = await linesOf(correlationId);
    evidence(context, ['FR-012'], {
      p50MsBefore: before.p50Ms,
      p50MsWhileItHangs: meanwhile.p50Ms,
      orders: ordersTimed,
      linesFoundAfterwards: lines.length,
    });
  });
});
