import { expect, it, onTestFinished, vi } from 'vitest';
import { OffsetCommits, type Offset } from './offset-commits.ts';

const EVERY_MS = 25;

const setUp = () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const commits = new OffsetCommits(EVERY_MS);
  const made: string[] = [];
  const group = { isAway: false };
  const lost = new Set<number>();
  const commit = (offsets: readonly Offset[]): Promise<void> => {
    if (group.isAway) return Promise.reject(new Error('the group is away'));
    made.push(offsets.map(({ partition, next }) => `${String(partition)}@${String(next)}`).join(' '));
    return Promise.resolve();
  };
  const add = (partition: number, next: number, records = 1): Promise<boolean> =>
    commits.add(
      { partition, next, commit: undefined },
      { records, isCurrent: () => !lost.has(partition), commit },
    );
  return { commits, made, group, lost, add };
};

it('the first offset is committed at once, those that come soon after it together', async () => {
  const { made, add } = setUp();
  expect(await add(0, 5)).toBe(true);
  expect(made).toEqual(['0@5']);
  const soon = [add(0, 6), add(1, 3)];
  await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
  expect(made).toEqual(['0@5']);
  await vi.advanceTimersByTimeAsync(1);
  expect(await Promise.all(soon)).toEqual([true, true]);
  expect(made).toEqual(['0@5', '0@6 1@3']);
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  await add(0, 7);
  expect(made).toEqual(['0@5', '0@6 1@3', '0@7']);
});

it('an offset of many records waits for nobody and takes those along that wait', async () => {
  const { made, add } = setUp();
  await add(0, 5);
  const soon = add(1, 3);
  expect(await add(0, 69, 64)).toBe(true);
  expect(await soon).toBe(true);
  expect(made).toEqual(['0@5', '1@3 0@69']);
});

it('an offset whose partition is lost while it waits is not committed', async () => {
  const { commits, made, lost, add } = setUp();
  await add(0, 5);
  const soon = [add(0, 6), add(1, 3)];
  lost.add(0);
  commits.flush();
  expect(await Promise.all(soon)).toEqual([false, true]);
  expect(made).toEqual(['0@5', '1@3']);
});

it('a commit that fails is told to every batch that waits for it', async () => {
  const { commits, group, made, add } = setUp();
  await add(0, 5);
  const soon = Promise.allSettled([add(0, 6), add(1, 3)]);
  group.isAway = true;
  commits.flush();
  expect((await soon).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  group.isAway = false;
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  expect(await add(0, 6)).toBe(true);
  expect(made).toEqual(['0@5', '0@6']);
});
