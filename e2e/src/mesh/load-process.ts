import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

/* Makes calls and prints what came of them as one JSON object. It runs in the namespace of a node: see mesh.ts. */
const Load = z.object({
  url: z.url(),
  count: z.int().min(1).max(100_000).optional(),
  durationMs: z.int().min(1).max(120_000).optional(),
  concurrency: z.int().min(1).max(64),
  headers: z.record(z.string(), z.string()).default({}),
  ratePerSecond: z.number().positive().optional(),
});
const load = Load.parse(JSON.parse(process.argv[2] ?? ''));
const timeoutMs = 60_000;
const errorsKeptMax = 5;
const agent = new Agent({ keepAlive: true, maxSockets: load.concurrency });

const call = (): Promise<{ readonly status: string; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(load.url, { agent, headers: load.headers, timeout: timeoutMs }, (response) => {
      const hash = createHash('sha256');
      response.on('data', (chunk: Buffer) => hash.update(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: String(response.statusCode), body: hash.digest('hex').slice(0, 16) });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error('timeout')));
    sent.on('error', reject);
    sent.end();
  });

const statuses: Record<string, number> = {};
const bodies: Record<string, number> = {};
const errors: string[] = [];
const latenciesMs: number[] = [];
const count = (of: Record<string, number>, key: string): void => {
  of[key] = (of[key] ?? 0) + 1;
};
const startedAt = performance.now();
let begun = 0;
const isDue = (): boolean =>
  load.count === undefined ? performance.now() - startedAt < (load.durationMs ?? 0) : begun < load.count;

const work = async (): Promise<void> => {
  while (isDue()) {
    const turn = begun++;
    if (load.ratePerSecond !== undefined) {
      const dueMs = (turn / load.ratePerSecond) * 1000 - (performance.now() - startedAt);
      if (dueMs > 0) await delay(dueMs);
    }
    const sentAt = performance.now();
    try {
      const { status, body } = await call();
      count(statuses, status);
      count(bodies, body);
    } catch (error) {
      count(statuses, 'error');
      if (errors.length < errorsKeptMax) errors.push(String(error));
    }
    latenciesMs.push(Math.round((performance.now() - sentAt) * 100) / 100);
  }
};
await Promise.all(Array.from({ length: load.concurrency }, work));
agent.destroy();
process.stdout.write(JSON.stringify({ calls: begun, statuses, errors, latenciesMs, bodies }));
