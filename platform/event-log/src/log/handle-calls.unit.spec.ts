import { done, type Verdict } from '@parley/delivery';
import { expect, it, vi } from 'vitest';
import { counted, countedTopic, type Counted } from '../../testing/counter.ts';
import type { RecordedEvent } from '../ports.ts';
import { HandleCalls, HandleOverdue } from './handle-calls.ts';

const topic = countedTopic('calls');
const eventAt = (offset: number, eventId = String(offset)): RecordedEvent<Counted> => ({
  event: counted(1),
  streamId: 's',
  version: 1,
  position: { topic: topic.name, partition: 0, offset },
  eventId,
  commitId: 'c',
  recordedAtMs: 0,
  correlationId: 'c',
  causationId: undefined,
  traceparent: undefined,
});

const set = (deadlineMs: number) => {
  const calls: (PromiseWithResolvers<undefined> & { readonly signal: AbortSignal })[] = [];
  const overdue = new Set<number>();
  const handle = async (_event: unknown, { signal }: { readonly signal: AbortSignal }): Promise<Verdict> => {
    const call = { ...Promise.withResolvers<undefined>(), signal };
    calls.push(call);
    await call.promise;
    return done;
  };
  const running = new HandleCalls<Counted>(
    { group: 'g', topic, handle },
    {
      hops: 'child',
      deadlineMs,
      onOverdue: ({ position }) => overdue.add(position.offset),
      onEnded: ({ position }) => overdue.delete(position.offset),
    },
  );
  return { running, calls, overdue };
};

it('a call past its deadline has its signal aborted with the reason; resolving late is a confirmed effect', async () => {
  const { running, calls, overdue } = set(10);
  const outcome = running.run(eventAt(3), { signal: new AbortController().signal, attempt: 1 });
  await expect.poll(() => calls[0]?.signal.reason as unknown).toBeInstanceOf(HandleOverdue);
  expect([...overdue]).toEqual([3]);
  calls[0]?.resolve(undefined);
  expect(await outcome).toEqual(done);
  expect(overdue.size).toBe(0);
});

it('a call that is left and comes to its deadline only then is overdue until it ends', async () => {
  vi.useFakeTimers();
  try {
    const { running, calls, overdue } = set(10_000);
    const lost = new AbortController();
    const left = running.run(eventAt(3), { signal: lost.signal, attempt: 1 });
    lost.abort();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(await left).toBe('left');
    expect(overdue.size).toBe(0);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([...overdue]).toEqual([3]);
    calls[0]?.reject(new Error('at last'));
    await vi.advanceTimersByTimeAsync(0);
    expect(overdue.size).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

it('an event that is handed out again while its call goes on is not called again, and shares its end', async () => {
  vi.useFakeTimers();
  try {
    const { running, calls } = set(1000);
    const lost = new AbortController();
    const first = running.run(eventAt(0), { signal: lost.signal, attempt: 1 });
    lost.abort();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await first).toBe('left');
    const turn = { signal: new AbortController().signal, attempt: 1 };
    const again = running.run(eventAt(0), turn);
    const other = running.run(eventAt(1), turn);
    expect(calls).toHaveLength(2); // the other event has its own
    calls[0]?.reject(new Error('at last'));
    await expect(again).rejects.toThrow('at last');
    calls[1]?.resolve(undefined);
    expect(await other).toEqual(done);
    void running.run(eventAt(0), turn);
    expect(calls).toHaveLength(3);
  } finally {
    vi.useRealTimers();
  }
});

it('another event at the position of one that is still being handled, as after a cut of the log, is handled too', async () => {
  const { running, calls } = set(1000);
  const turn = { signal: new AbortController().signal, attempt: 1 };
  const gone = running.run(eventAt(0, 'gone'), turn);
  const now = running.run(eventAt(0, 'now'), turn);
  expect(calls).toHaveLength(2);
  calls[1]?.resolve(undefined);
  expect(await now).toEqual(done);
  calls[0]?.resolve(undefined);
  expect(await gone).toEqual(done);
});
