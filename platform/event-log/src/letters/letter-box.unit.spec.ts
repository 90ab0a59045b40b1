import { afterEach, expect, it, vi } from 'vitest';
import type { RawRecord } from '../log/transport.ts';
import { LetterBox } from './letter-box.ts';

afterEach(() => vi.useRealTimers());

const earlier = (offset: number): RawRecord => ({
  key: null,
  value: null,
  headers: {},
  offset: String(offset),
  timestamp: '0',
});

it('a claim waits for as long as earlier letters are still read, and fails once nothing more comes', async () => {
  vi.useFakeTimers();
  const box = new LetterBox({
    topic: { name: 't', partitions: 1 },
    group: 'g',
    transport: { send: () => Promise.resolve() },
    now: () => 0,
  });
  let outcome = 'under way';
  const claiming = box.claim(0).then(
    () => (outcome = 'claimed'),
    (error: unknown) => (outcome = String(error)),
  );
  for (let offset = 0; offset < 5; offset += 1) {
    await box.onRecords(0, [earlier(offset)]);
    await vi.advanceTimersByTimeAsync(9_000);
  }
  expect(outcome).toBe('under way');
  await vi.advanceTimersByTimeAsync(20_000);
  await claiming;
  expect(outcome).toContain('was not read back within 10000 ms');
});
