import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrafficRule } from '@parley/mesh/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { evidence } from '../ledger/evidence.ts';
import { latenciesOf } from '../measure.ts';
import { waitFor } from '../wait.ts';
import {
  accessLog,
  load,
  meshNeeds,
  productsUrl,
  readMesh,
  requestsSeenBy,
  type Loaded,
  type MeshUnderTest,
} from './mesh.ts';
import { arrivals, toV1, underPolicy, withProductRules } from './traffic.ts';

const calls = 200;
const settleMs = 120_000;
/** A call that waited for a mirror that hangs would last until its caller gives up: a minute. */
const waitedForMs = 1000;
/** Of the slowest call, while the mirror is started again on the same processors. */
const waitedForMsMax = 20_000;
const PidFile = z.looseObject({ pid: z.int() });
const mirrored: TrafficRule = { ...toV1, name: 'mirrored', mirror: { version: 'v2', percent: 100 } };

const pidOfV2 = (mesh: MeshUnderTest): number =>
  PidFile.parse(JSON.parse(readFileSync(join(mesh.runDir, 'pids', 'product-v2.json'), 'utf8'))).pid;

const send = (mesh: MeshUnderTest, correlationId: string): Promise<Loaded> =>
  load(mesh, 'client', {
    url: productsUrl(mesh),
    count: calls,
    concurrency: 4,
    headers: { 'x-correlation-id': correlationId },
  });

describe('mirroring', () => {
  it('copies every call and changes no answer, also while the mirror hangs or is dead (FR-018)', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const without = await send(mesh, randomUUID());
    await underPolicy(mesh, withProductRules([mirrored]), async () => {
      const correlationId = randomUUID();
      const sent = await send(mesh, correlationId);
      expect(sent.statuses).toEqual({ '200': calls });
      expect(sent.bodies, 'the answers are those without a mirror').toEqual(without.bodies);
      const copies = await waitFor(
        'a copy of every call',
        () => {
          const { v1, v2 } = arrivals(mesh, correlationId);
          const seen = requestsSeenBy(mesh, 'product-v2', correlationId);
          return v1 === calls && v2 === calls && seen === calls ? { v1, v2 } : undefined;
        },
        { deadlineMs: settleMs },
      );
      const requestsAt = (node: string): readonly string[] =>
        accessLog(mesh, node, correlationId)
          .map(({ method, path }) => `${method ?? ''} ${path ?? ''}`)
          .sort();
      expect(requestsAt('product-v2'), 'the copies are what was sent').toEqual(requestsAt('product-v1'));
      const hung = pidOfV2(mesh);
      process.kill(hung, 'SIGSTOP');
      let whileSlow: Loaded;
      try {
        whileSlow = await send(mesh, randomUUID());
      } finally {
        process.kill(hung, 'SIGCONT');
      }
      process.kill(hung, 'SIGKILL');
      const whileDead = await send(mesh, randomUUID());
      for (const answers of [whileSlow, whileDead]) {
        expect(answers.statuses).toEqual({ '200': calls });
        expect(answers.bodies).toEqual(without.bodies);
        const { p50Ms, maxMs } = latenciesOf(answers.latenciesMs);
        expect(p50Ms, 'nobody waits for the mirror').toBeLessThan(waitedForMs);
        expect(maxMs, 'not one call waits for the mirror').toBeLessThan(waitedForMsMax);
      }
      await waitFor('the mirror is started again', () => (pidOfV2(mesh) === hung ? undefined : true), {
        deadlineMs: settleMs,
      });
      evidence(context, ['FR-018'], {
        calls,
        copies: copies.v2,
        answersChanged: 0,
        latencies: {
          withoutMirror: latenciesOf(without.latenciesMs),
          mirrored: latenciesOf(sent.latenciesMs),
          mirrorHangs: latenciesOf(whileSlow.latenciesMs),
          mirrorDead: latenciesOf(whileDead.latenciesMs),
        },
      });
    });
  });
});
