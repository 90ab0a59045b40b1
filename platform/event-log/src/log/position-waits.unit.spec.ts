import { expect, it, vi } from 'vitest';
import { FoldWaiters } from './fold-waiters.ts';
import { LogEnds } from './log-ends.ts';
import { PositionWaits } from './position-waits.ts';

const setUp = (limits: { readonly maxWaits: number; readonly maxWaitsBeyondEnd: number }) => {
  const answer = Promise.withResolvers<readonly number[]>();
  const ends = new LogEnds(() => answer.promise, Date.now);
  const asked = vi.spyOn(ends, 'fresh');
  const waiters = new FoldWaiters();
  const waits = new PositionWaits(ends, limits);
  const wait = (offset: number, deadlineMs: number): Promise<boolean> =>
    waits.wait(
      {
        waitFor: (position, ms, givenUp) => waiters.wait(position.partition, position.offset, ms, givenUp),
      },
      { topic: 't', partition: 0, offset },
      deadlineMs,
    );
  return { answer, asked, waiters, wait };
};

it('while the log does not answer, those whose deadline has passed leave no question behind', async () => {
  const { answer, asked, waiters, wait } = setUp({ maxWaits: 10, maxWaitsBeyondEnd: 1 });
  for (let round = 0; round < 5; round++)
    expect(await Promise.all(Array.from({ length: 10 }, () => wait(7, 5)))).not.toContain(true);
  expect(asked).toHaveBeenCalledTimes(1);
  const within = wait(7, 60_000);
  const beyond = [wait(8, 60_000), wait(9, 60_000)];
  answer.resolve([8]);
  expect(await Promise.race(beyond)).toBe(false); // two are beyond the end, and one of them may wait
  waiters.wake(0, 9);
  expect(await within).toBe(true);
  expect(await beyond[0]).toBe(true);
});
