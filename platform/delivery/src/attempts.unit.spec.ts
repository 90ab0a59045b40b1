import { expect, it } from 'vitest';
import { deliver, type Failure } from './attempts.ts';
import { backoffMs } from './backoff.ts';
import { deadLetter, done, notYet, tryAgain, type Verdict } from './verdict.ts';

const policy = { attempts: 3, backoff: { firstMs: 1, maxMs: 4, jitter: 0 } };
const stopping = new AbortController().signal;

/** Answers the verdicts in turn, the last one again and again. */
const answering = (...verdicts: (Verdict | Error)[]) => {
  const calls: number[] = [];
  const handle = (attempt: number): Promise<Verdict> => {
    calls.push(attempt);
    const verdict = verdicts[Math.min(attempt, verdicts.length) - 1] ?? done;
    return verdict instanceof Error ? Promise.reject(verdict) : Promise.resolve(verdict);
  };
  return { calls, handle };
};

it('what fails is called again after doubled pauses until it is done', async () => {
  const { calls, handle } = answering(new Error('first'), tryAgain(new Error('second')), done);
  const failures: Failure[] = [];
  const delivered = deliver({ policy, stopping, handle, onFailed: (failure) => failures.push(failure) });
  expect(await delivered).toEqual({ kind: 'done' });
  expect(calls).toEqual([1, 2, 3]);
  expect(failures.map(({ attempt, pauseMs }) => [attempt, pauseMs])).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

it('what has failed as often as it may is a dead letter, with the last error and the number of calls that failed', async () => {
  const { calls, handle } = answering(notYet('the log is away'), new TypeError('no address'));
  const delivered = deliver({ policy, stopping, handle });
  expect(await delivered).toEqual({
    kind: 'dead-letter',
    letter: {
      reason: 'attempts-exhausted',
      errorClass: 'TypeError',
      message: 'no address',
      attempts: 3,
    },
  });
  expect(calls).toEqual([1, 2, 3, 4]);
});

it('what has to wait is called again for as long as it takes, and uses up no attempt', async () => {
  const { calls, handle } = answering(...Array.from({ length: 50 }, () => notYet('away')), done);
  const delivered = deliver({ policy: { ...policy, attempts: 1 }, stopping, handle });
  expect(await delivered).toEqual({ kind: 'done' });
  expect(calls).toHaveLength(51);
});

it('what has waited and then can never succeed is a dead letter after one attempt', async () => {
  const { handle } = answering(notYet('away'), notYet('away'), deadLetter('unreadable'));
  expect(await deliver({ policy, stopping, handle })).toMatchObject({
    kind: 'dead-letter',
    letter: { reason: 'unreadable', attempts: 1 },
  });
});

it('what can never succeed is a dead letter at the first call', async () => {
  const { calls, handle } = answering(deadLetter('unreadable'));
  expect(await deliver({ policy, stopping, handle })).toMatchObject({
    kind: 'dead-letter',
    letter: { reason: 'unreadable', attempts: 1 },
  });
  expect(calls).toEqual([1]);
});

it('a pause ends with its holder: what was not done is released, whatever it failed with', async () => {
  const holder = new AbortController();
  const { calls, handle } = answering(new Error('broken'));
  const endless = { attempts: 2, backoff: { firstMs: 60_000, maxMs: 60_000 } };
  const onFailed = (): void => {
    setImmediate(() => {
      holder.abort();
    });
  };
  const delivered = await deliver({ policy: endless, stopping: holder.signal, handle, onFailed });
  expect(delivered).toEqual({ kind: 'released' });
  expect(calls).toEqual([1]);
});

it('a pause is never longer than its maximum, and shorter by chance at most by its jitter', () => {
  const backoff = { firstMs: 100, maxMs: 5_000, jitter: 0.2 };
  expect([1, 2, 3, 7, 2_000].map((call) => backoffMs(backoff, call, () => 0))).toEqual([
    100, 200, 400, 5_000, 5_000,
  ]);
  expect(backoffMs(backoff, 1, () => 1)).toBe(80);
});
