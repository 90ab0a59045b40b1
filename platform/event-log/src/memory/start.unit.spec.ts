/** A start that is overtaken: by close, or by its own signal. */
import { expect, it } from 'vitest';
import { countedTopic, counterOf } from '../../testing/counter.ts';
import { run } from '../../testing/harness.ts';
import { MemoryLink } from './link.ts';
import { createMemoryBroker, openMemoryLog } from './open.ts';

const topic = countedTopic('starts');
const setUp = () => {
  const broker = createMemoryBroker();
  const link = new MemoryLink();
  const log = openMemoryLog({ broker, link });
  const counters = log.aggregate(counterOf(topic));
  return { link, log, counters };
};
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('a start that is overtaken by close rejects, and a closed log stays closed', async () => {
  const { link, log, counters } = setUp();
  link.hold('answers');
  const refused = expect(log.start()).rejects.toThrow();
  await nextTurn();
  const closed = log.close();
  link.release();
  await Promise.all([refused, closed]);
  expect(log.health().ready).toBe(false);
  expect(await run(counters, 's', 1)).toEqual({ kind: 'unavailable', reason: 'closed' });
});

it('a start rejects as soon as it is aborted, also while the log does not answer', async () => {
  const { link, log, counters } = setUp();
  const abort = new AbortController();
  link.hold('requests');
  const refused = expect(log.start({ signal: abort.signal })).rejects.toThrow('enough');
  await nextTurn();
  abort.abort(new Error('enough'));
  await refused;
  link.release();
  await nextTurn();
  expect(log.health().ready).toBe(false);
  expect(await run(counters, 's', 1)).toEqual({ kind: 'unavailable', reason: 'closed' });
  await log.close();
});
