/** What a reaction does while members of its group come and go, one of them by kill -9, and events are appended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { counterOf, type Counted } from '../../testing/counter.ts';
import { echoLimits, freshTopic, run, WAIT_MS_MAX } from '../../testing/harness.ts';
import { partitionOf } from '../log/partition-of.ts';
import type { Aggregates } from '../ports.ts';
import { openKafkaLog } from './open.ts';

const PATIENCE = { timeout: WAIT_MS_MAX, interval: 100 };
const STREAMS_PER_PARTITION = 2;
const APPEND_EVERY_MS = 100;
const processPath = fileURLToPath(new URL('../../testing/effect-process.ts', import.meta.url));

let engines: TestEngines;
let folder: string;
const members: ChildProcess[] = [];
beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
  folder = await mkdtemp(join(tmpdir(), 'parley-rebalance-'));
});
afterAll(async () => {
  for (const member of members) member.kill('SIGKILL');
  await engines.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Effect {
  readonly member: string;
  readonly streamId: string;
  /** Place of the event in its stream, from 1. */
  readonly by: number;
  readonly eventId: string;
}

/** In the order in which they happened, whichever process they are of. */
const effectsIn = async (path: string): Promise<readonly Effect[]> =>
  (await readFile(path, 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [member = '', streamId = '', by = '', eventId = ''] = line.split(' ');
      return { member, streamId, by: Number(by), eventId };
    });

/** As many streams on each partition, so that each member has some. */
const streamsOn = (partitions: number): readonly string[] => {
  const byPartition = Array.from({ length: partitions }, (): string[] => []);
  for (let n = 0; byPartition.flat().length < partitions * STREAMS_PER_PARTITION; n += 1) {
    const streamId = `s-${String(n)}`;
    const streams = byPartition[partitionOf(streamId, partitions)] ?? [];
    if (streams.length < STREAMS_PER_PARTITION) streams.push(streamId);
  }
  return byPartition.flat();
};

/** Appends 1, 2, 3 and so on to a stream until it is to stop. Answers the last one. */
const appendTo = async (
  counters: Aggregates<number, Counted>,
  streamId: string,
  stop: AbortSignal,
): Promise<number> => {
  let last = 0;
  while (!stop.aborted) {
    last += 1;
    expect(await run(counters, streamId, last)).toMatchObject({ kind: 'accepted' });
    await pause(APPEND_EVERY_MS); // the rate, not a wait
  }
  return last;
};

it('members of a reaction’s group that come and go, one by kill -9, miss no event and act on those of a stream in order, whoever has it', async () => {
  const topic = freshTopic();
  const log = openKafkaLog({
    service: 'rebalance',
    clientId: 'writer',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger: pino({ level: 'silent' }),
    limits: echoLimits,
  });
  onTestFinished(() => log.close());
  const counters = log.aggregate(counterOf(topic));
  await log.start();
  const path = join(folder, 'effects');
  await writeFile(path, '');
  const start = (member: string): ChildProcess => {
    const args = [processPath, engines.bootstrap, engines.registryUrl, topic.name, path, member];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    members.push(child);
    return child;
  };
  const acting = async (): Promise<readonly string[]> => [
    ...new Set((await effectsIn(path)).map(({ member }) => member)),
  ];
  const comeAndGo = async (): Promise<void> => {
    const [first, second, third] = [start('first'), start('second'), start('third')];
    await expect.poll(acting, PATIENCE).toHaveLength(3);
    first.kill('SIGKILL'); // its group waits for it until it has been silent for too long
    start('fourth');
    await expect.poll(acting, PATIENCE).toContain('fourth');
    second.kill('SIGTERM');
    start('fifth');
    await expect.poll(acting, PATIENCE).toContain('fifth');
    const gone = once(third, 'exit');
    third.kill('SIGTERM');
    await gone;
  };
  const stop = new AbortController();
  const streams = streamsOn(topic.partitions);
  const startedAtMs = Date.now();
  const [lasts] = await Promise.all([
    Promise.all(streams.map((streamId) => appendTo(counters, streamId, stop.signal))),
    comeAndGo().finally(() => {
      stop.abort();
    }),
  ]);
  const appended = lasts.reduce((sum, last) => sum + last, 0);
  const handled = async (): Promise<number> =>
    new Set((await effectsIn(path)).map(({ eventId }) => eventId)).size;
  await expect.poll(handled, PATIENCE).toBe(appended);
  const effects = await effectsIn(path);
  const figures = { appended, effects: effects.length, tookMs: Date.now() - startedAtMs };
  process.stdout.write(`members came and went: ${JSON.stringify(figures)}\n`);
  for (const [index, streamId] of streams.entries()) {
    // By their first effects: one that is repeated after a takeover changes nothing.
    const byId = new Map<string, number>();
    for (const { eventId, by } of effects.filter((each) => each.streamId === streamId))
      if (!byId.has(eventId)) byId.set(eventId, by);
    expect([...byId.values()]).toEqual(Array.from({ length: lasts[index] ?? 0 }, (_, n) => n + 1));
  }
});
