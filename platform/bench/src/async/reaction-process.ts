/**
 * One run of the reaction benchmark in a process of its own, so that the rival's kafkajs is as it comes. One line of JSON on
 * stdout.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { done } from '@parley/delivery';
import { openKafkaLog, type ReactionStatus } from '@parley/event-log';
import kafkajs, { type KafkaMessage } from 'kafkajs';
import { pino } from 'pino';
import { tickTopic } from '../ticks.ts';
import { COMMIT_EVERY, REACTION_TOPIC, type ReactionRun } from './reaction-run.ts';

const [side = '', bootstrap, registryUrl, events] = process.argv.slice(2);
if (bootstrap === undefined || registryUrl === undefined) throw new TypeError('which log?');
const expected = Number(events);
const POLL_MS = 1;

/** From the group's assignment until the last offset is committed. The replay before it is told apart. */
async function reaction(): Promise<ReactionRun> {
  const logger = pino({ level: 'error' }, pino.destination(2));
  const log = openKafkaLog({
    service: 'bench',
    clientId: 'bench',
    bootstrap: bootstrap ?? '',
    registryUrl: registryUrl ?? '',
    logger,
  });
  let handled = 0;
  log.react({
    group: `bench-${randomUUID()}`,
    topic: tickTopic(REACTION_TOPIC),
    handle: () => {
      handled++;
      return Promise.resolve(done);
    },
  });
  const until = async (holds: (status: ReactionStatus) => boolean): Promise<void> => {
    while (!log.health().reactions.every(holds)) await pause(POLL_MS);
  };
  const beganAtMs = performance.now();
  const started = log.start();
  await until(({ joined }) => joined);
  const joinedAtMs = performance.now();
  while (handled < expected) await pause(POLL_MS);
  await until(({ lag }) => lag === 0);
  const endedAtMs = performance.now();
  await started;
  await log.close({ deadlineMs: 1000 });
  return { handled, ms: endedAtMs - joinedAtMs, replayMs: joinedAtMs - beganAtMs };
}

/** kafkajs `eachBatch` and a handler that does nothing, committing as often as a reaction does. */
async function bare(): Promise<ReactionRun> {
  const kafka = new kafkajs.Kafka({
    brokers: (bootstrap ?? '').split(','),
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, minBytes: 1, maxWaitTimeInMs: 500 });
  const finished = Promise.withResolvers<number>();
  let joinedAtMs = performance.now();
  let handled = 0;
  const handle: (message: KafkaMessage) => Promise<void> = () => Promise.resolve();
  consumer.on(consumer.events.GROUP_JOIN, () => (joinedAtMs = performance.now()));
  await consumer.connect();
  await consumer.subscribe({ topic: REACTION_TOPIC, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: tickTopic(REACTION_TOPIC).partitions,
    eachBatch: async (payload) => {
      const { topic, partition, messages } = payload.batch;
      for (let start = 0; start < messages.length; start += COMMIT_EVERY) {
        const chunk = messages.slice(start, start + COMMIT_EVERY);
        for (const message of chunk) await handle(message);
        const last = chunk.at(-1)?.offset ?? '0';
        const offset = String(Number(last) + 1);
        await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
        payload.resolveOffset(last);
        handled += chunk.length;
      }
      if (handled >= expected) finished.resolve(performance.now());
    },
  });
  const endedAtMs = await finished.promise;
  await consumer.disconnect();
  return { handled, ms: endedAtMs - joinedAtMs, replayMs: 0 };
}

const run = side === 'reaction' ? await reaction() : await bare();
process.stdout.write(`${JSON.stringify(run)}\n`);
