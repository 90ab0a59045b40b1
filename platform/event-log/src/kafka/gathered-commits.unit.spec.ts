import { expect, it, onTestFinished, vi } from 'vitest';
import { GatheredCommits, type Offset } from './gathered-commits.ts';

const setUp = ({ uncommittedMax = 64 } = {}) => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const commits = new GatheredCommits(uncommittedMax);
  const made: string[] = [];
  let fails = false;
  const commit = (offsets: readonly Offset[]): Promise<void> => {
    if (fails) return Promise.reject(new Error('the group is away'));
    made.push(offsets.map(({ partition, next }) => `${String(partition)}@${String(next)}`).join(' '));
    return Promise.resolve();
  };
  const add = (partition: number, next: number, first = next - 1): Promise<void> =>
    commits.add({ partition, next, commit: undefined }, first, commit);
  return { commits, made, add, fail: (does: boolean) => (fails = does) };
};

it('the first is committed at once, those that come soon after it together', async () => {
  const { made, add } = setUp();
  await add(0, 5);
  expect(made).toEqual(['0@5']);
  await add(0, 6);
  await add(1, 3);
  await add(0, 7);
  expect(made).toEqual(['0@5']);
  await vi.advanceTimersByTimeAsync(100);
  expect(made).toEqual(['0@5', '0@7 1@3']);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(made).toHaveLength(2);
});

it('no more records of a partition are done and not committed than are known', async () => {
  const { made, add } = setUp({ uncommittedMax: 10 });
  await add(0, 5);
  await add(1, 20, 11);
  expect(made).toEqual(['0@5']);
  await add(1, 22, 20);
  expect(made).toEqual(['0@5', '1@22']);
  await add(1, 32, 22);
  expect(made).toHaveLength(2);
  await add(1, 33, 32);
  expect(made).toEqual(['0@5', '1@22', '1@33']);
});

it('what cannot be committed is committed with the next, and told once there is too much of it', async () => {
  const { made, add, fail } = setUp({ uncommittedMax: 10 });
  await add(0, 5);
  fail(true);
  await add(0, 6);
  await vi.advanceTimersByTimeAsync(100);
  await add(0, 7);
  await expect(add(0, 16)).rejects.toThrow('the group is away');
  fail(false);
  await add(1, 2);
  await vi.advanceTimersByTimeAsync(100);
  expect(made).toEqual(['0@5', '0@16 1@2']);
});

it('what is due is committed on request, and never once it is forgotten', async () => {
  const { commits, made, add } = setUp();
  await add(0, 5);
  await add(0, 6);
  await commits.flush();
  expect(made).toEqual(['0@5', '0@6']);
  await add(0, 7);
  commits.forget();
  await commits.flush();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(made).toHaveLength(2);
});
