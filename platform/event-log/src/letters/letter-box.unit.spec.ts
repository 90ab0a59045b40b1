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

/** A claim that was sent, and is not read back. */
const claimIn = () => {
  vi.useFakeTimers();
  const box = new LetterBox({
    topic: { name: 't', partitions: 1 },
    group: 'g',
    transport: { send: () => Promise.resolve() },
    now: () => 0,
  });
  const claim = { outcome: 'under way' };
  void box.claim(0).then(
    () => (claim.outcome = 'claimed'),
    (error: unknown) => (claim.outcome = String(error)),
  );
  let offset = 0;
  const readEarlier = async (records: number): Promise<void> => {
    for (let read = 0; read < records; read += 1) {
      await box.onRecords(0, [earlier(offset++)]);
      await vi.advanceTimersByTimeAsync(9_000);
    }
  };
  return { claim, readEarlier };
};

it('a claim waits for as long as earlier letters are still read, and fails once nothing more comes', async () => {
  const { claim, readEarlier } = claimIn();
  await readEarlier(5);
  expect(claim.outcome).toBe('under way');
  await vi.advanceTimersByTimeAsync(20_000);
  expect(claim.outcome).toContain('was not read back within 10000 ms');
});

it('a claim fails after two minutes, whatever else is read meanwhile', async () => {
  const { claim, readEarlier } = claimIn();
  await readEarlier(13);
  expect(claim.outcome).toBe('under way');
  await readEarlier(1);
  expect(claim.outcome).toContain('was not read back within 120000 ms');
});
