/**
 * One writer of the chaos test, a process of its own: it says `ready` to its parent, appends until SIGTERM and writes
 * down every outcome.
 */
import { openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { deriveId } from '../../src/ids.ts';
import { openKafkaLog } from '../../src/kafka/open.ts';
import { counted, countedTopic, counterOf } from '../counter.ts';
import { streamName, type OutcomeLine, type WriterOrder } from './protocol.ts';
import { seeded } from './random.ts';

const DEADLINE_MS = 1500;
const REFUSED_PAUSE_MS = 20;

const order = JSON.parse(process.argv[2] ?? '') as WriterOrder; // written by the test
const file = openSync(order.outcomes, 'a');
const random = seeded(order.seed);
const log = openKafkaLog({
  service: 'chaos',
  clientId: order.name,
  bootstrap: order.bootstrap,
  registryUrl: order.registryUrl,
  logger: pino({ level: 'silent' }),
  durability: order.durability,
});
const counters = log.aggregate(counterOf(countedTopic(order.topic)));
const stopping = new AbortController();
process.on('SIGTERM', () => {
  stopping.abort();
});
await log.start({ signal: stopping.signal });
process.send?.('ready');

let made = 0;

/** Sends one commit, again and again while its fate is unknown; undefined when stopped before it is known. */
async function settle(
  attempt: () => Promise<{ readonly kind: string }>,
): Promise<[kind: string, repeated: number]> {
  for (let repeated = 0; ; repeated++) {
    const { kind } = await attempt();
    // What was told unknown once and unavailable then may still be in the log: only its echo tells.
    const isOpen = kind === 'unknown' || (kind === 'unavailable' && repeated > 0);
    if (!isOpen || stopping.signal.aborted) return [isOpen ? 'unknown' : kind, repeated];
    if (kind === 'unavailable') await pause(REFUSED_PAUSE_MS);
  }
}

async function once(): Promise<void> {
  const streamId = streamName(Math.floor(random() * order.streams));
  const commitId = deriveId(order.name, String(order.seed), String(made++));
  const size = 1 + Math.floor(random() * 4);
  const events = Array.from({ length: size }, (_, index) => counted(index + 1, order.name));
  const by = random() < 0.5 ? 'append' : 'execute';
  const metadata = { correlationId: commitId };
  const deadlineMs = DEADLINE_MS;
  const { version, lastCommitId } = counters.load(streamId);
  const commit = {
    commitId,
    streamId,
    baseVersion: version,
    previousCommitId: lastCommitId,
    events,
    metadata,
  };
  const decide = () => ({ kind: 'events' as const, events });
  const attempt = () =>
    by === 'append'
      ? counters.append(commit, { deadlineMs })
      : counters.execute({ streamId, commandId: commitId, decide, metadata, deadlineMs });
  const [kind, repeated] = await settle(attempt);
  const line: OutcomeLine = { commitId, streamId, by, events: size, kind, repeated };
  writeSync(file, `${JSON.stringify(line)}\n`);
  if (kind === 'unavailable') await pause(REFUSED_PAUSE_MS);
}

const loop = async (): Promise<void> => {
  while (!stopping.signal.aborted) await once();
};
await Promise.all(Array.from({ length: order.loops }, loop));
await log.close();
process.disconnect();
