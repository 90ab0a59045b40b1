import { randomUUID } from 'node:crypto';
import type { TrafficRule } from '@parley/mesh/testing';
import { describe, expect, it } from 'vitest';
import { evidence } from '../ledger/evidence.ts';
import { latenciesOf } from '../measure.ts';
import { waitFor } from '../wait.ts';
import {
  load,
  loadUntilStopped,
  meshNeeds,
  mustApply,
  productsUrl,
  readMesh,
  requestsSeenBy,
  type MeshUnderTest,
} from './mesh.ts';
import { arrivals, underPolicy, withProductRules } from './traffic.ts';

const settleMs = 120_000;
const calls = 10_000;

const split = (v1: number): TrafficRule => ({
  name: 'canary',
  split: [
    { version: 'v1', weight: v1 },
    { version: 'v2', weight: 100 - v1 },
  ],
});

const forced: TrafficRule = {
  name: 'forced',
  when: { header: { name: 'x-canary', value: 'always' } },
  split: [{ version: 'v2', weight: 100 }],
};

/** Arrivals at both versions once all calls have been counted by both sidecars and both services. */
const counted = async (
  mesh: MeshUnderTest,
  correlationId: string,
  sent: number,
): Promise<{ readonly v1: number; readonly v2: number }> =>
  waitFor(
    'every call counted by the sidecars and by the services',
    () => {
      const { v1, v2 } = arrivals(mesh, correlationId);
      if (v1 + v2 !== sent) throw new Error(`the sidecars count ${v1} and ${v2} of ${sent}`);
      const own = ['product-v1', 'product-v2'].map((node) => requestsSeenBy(mesh, node, correlationId));
      if (own[0] !== v1 || own[1] !== v2) throw new Error(`the services count ${own.join(' and ')}`);
      return { v1, v2 };
    },
    { deadlineMs: settleMs, intervalMs: 500 },
  );

describe('a canary', () => {
  it('gets its share of 10,000 calls within 1 %, and all calls with its header, which counts before the weight (US7.3, FR-018)', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const policy = withProductRules([forced, split(90)]);
    // Tens of thousands of spans would cost more than the calls, and are no matter here.
    await underPolicy(mesh, { ...policy, tracing: { samplePercent: 0 } }, async () => {
      const [weighted, withHeader] = [randomUUID(), randomUUID()];
      const sent = await load(mesh, 'client', {
        url: productsUrl(mesh),
        count: calls,
        concurrency: 16,
        headers: { 'x-correlation-id': weighted },
      });
      expect(sent.statuses).toEqual({ '200': calls });
      const share = await counted(mesh, weighted, calls);
      expect(Math.abs(share.v2 / calls - 0.1)).toBeLessThanOrEqual(0.01);
      const headed = 200;
      const forcedCalls = await load(mesh, 'client', {
        url: productsUrl(mesh),
        count: headed,
        concurrency: 8,
        headers: { 'x-correlation-id': withHeader, 'x-canary': 'always' },
      });
      expect(forcedCalls.statuses).toEqual({ '200': headed });
      const byHeader = await counted(mesh, withHeader, headed);
      expect(byHeader).toEqual({ v1: 0, v2: headed });
      evidence(context, ['US7.3', 'FR-018'], {
        weights: '90/10',
        calls,
        arrived: share,
        sharePercent: (share.v2 / calls) * 100,
        header: { calls: headed, arrived: byHeader },
        latencies: latenciesOf(sent.latenciesMs),
      });
    });
  }, 1_200_000);

  it('is given more and then everything under load without one failed call (US7.3, FR-018)', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    await underPolicy(mesh, withProductRules([split(100)]), async () => {
      const correlationId = randomUUID();
      const stopLoad = loadUntilStopped(mesh, 'client', {
        url: productsUrl(mesh),
        concurrency: 4,
        ratePerSecond: 40,
        headers: { 'x-correlation-id': correlationId },
      });
      const appliedMs: number[] = [];
      const shift = async (v1: number): Promise<void> => {
        const startedAt = performance.now();
        await mustApply(mesh, withProductRules([split(v1)]));
        appliedMs.push(Math.round(performance.now() - startedAt));
      };
      await waitFor('calls at v1', () => (arrivals(mesh, correlationId).v1 > 50 ? true : undefined), {
        deadlineMs: settleMs,
      });
      await shift(50);
      await waitFor('calls at v2', () => (arrivals(mesh, correlationId).v2 > 50 ? true : undefined), {
        deadlineMs: settleMs,
      });
      await shift(0);
      const atV2 = arrivals(mesh, correlationId).v2;
      await waitFor(
        'calls after the last change',
        () => (arrivals(mesh, correlationId).v2 > atV2 + 50 ? true : undefined),
        { deadlineMs: settleMs },
      );
      const sent = await stopLoad();
      expect(sent.errors).toEqual([]);
      expect(sent.statuses).toEqual({ '200': sent.calls });
      const arrived = await counted(mesh, correlationId, sent.calls);
      evidence(context, ['US7.3', 'FR-018'], {
        weights: ['100/0', '50/50', '0/100'],
        calls: sent.calls,
        failed: 0,
        arrived,
        applyMs: appliedMs,
      });
    });
  });
});
