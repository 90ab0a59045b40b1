import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TopicWatch, type Seen } from './topic-watch.ts';

const packed = { topic: 't', setting: 'compression.type', is: 'zstd', shouldBe: 'uncompressed' };
const compacted = { topic: 't', setting: 'cleanup.policy', is: 'compact', shouldBe: 'delete' };

it('says each change of faults and of advice once, and knows of no faults before a look was answered', async () => {
  const looks: (Seen | undefined)[] = [
    undefined,
    { faults: [], advice: [packed] },
    { faults: [], advice: [packed] },
    { faults: [compacted], advice: [packed] },
    { faults: [], advice: [] },
  ];
  const known: (number | undefined)[] = [];
  const lines: object[] = [];
  const done = Promise.withResolvers<undefined>();
  const say = (fields: object | string): void => {
    lines.push(typeof fields === 'string' ? { said: fields } : fields);
  };
  const watch: TopicWatch = new TopicWatch({
    look: () => {
      known.push(watch.faults?.length);
      if (looks.length === 0) done.resolve(undefined);
      return Promise.resolve(looks.shift());
    },
    first: undefined,
    everyMs: 1,
    logger: { warn: say, info: say, debug: say },
  });
  watch.start();
  await done.promise;
  watch.stop();
  await pause(1); // the last look ends
  expect(lines).toEqual([
    { advice: [packed] },
    { faults: [compacted] },
    { said: 'the topics are as the log needs them again' },
  ]);
  expect(known).toEqual([undefined, undefined, 0, 0, 1, 0]);
});
