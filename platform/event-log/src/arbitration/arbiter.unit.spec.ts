import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveId } from '../ids.ts';
import { Arbiter, RECENT_COMMITS, type ArbiterRecord } from './arbiter.ts';
import { decodeCommitHeader, encodeCommitHeader, fromKey, toKey, type CommitKey } from './commit-header.ts';

type Rec = ArbiterRecord<string>;
const key = (name: string): CommitKey => toKey(deriveId('arbiter', name));

interface Attempt {
  readonly commit: CommitKey;
  readonly previous: CommitKey;
  readonly base: number;
  readonly size: number;
  readonly streamId: string;
  readonly unreadable?: boolean;
}

/** The records of attempts in log order; offsets are dense. */
function layOut(attempts: readonly Attempt[]): Rec[] {
  const records: Rec[] = [];
  for (const { commit, previous, base, size, streamId, unreadable } of attempts) {
    for (let index = 0; index < size; index++) {
      const header = { commit, previous, base, index, size };
      const event = unreadable === true && index === size - 1 ? undefined : fromKey(commit);
      records.push({ offset: records.length, streamId, header, event });
    }
  }
  return records;
}

function fold(records: readonly Rec[]) {
  const arbiter = new Arbiter<string>();
  const accepted: Rec[] = [];
  const rejected: number[] = [];
  const verdicts: string[] = [];
  for (const record of records) {
    const { dropped, judged } = arbiter.take(record);
    rejected.push(...dropped);
    if (judged === undefined) continue;
    verdicts.push(judged.verdict);
    if (judged.verdict === 'accepted') accepted.push(...judged.records);
  }
  return { arbiter, accepted, rejected, verdicts };
}

const attempts = fc.array(
  fc.record({
    commit: fc.integer({ min: 0, max: 12 }).map((n) => key(String(n))),
    previous: fc.integer({ min: -1, max: 12 }).map((n) => (n === -1 ? '' : key(String(n)))),
    base: fc.integer({ min: 0, max: 6 }),
    size: fc.integer({ min: 1, max: 3 }),
    streamId: fc.constantFrom('a', 'b'),
    unreadable: fc.boolean(),
  }),
  { maxLength: 60 },
);
const runs = { seed: 20_26, numRuns: 400 };

describe('the arbiter', () => {
  it('gives each stream consecutive versions, each commit once and whole, whatever lies in the log', () => {
    fc.assert(
      fc.property(attempts, fc.func(fc.boolean()), (written, lost) => {
        const records = layOut(written).filter((record) => !lost(record.offset));
        const { accepted, arbiter } = fold(records);
        for (const streamId of ['a', 'b']) {
          const own = accepted.filter((record) => record.streamId === streamId);
          expect(own.map(({ header }) => header.base + header.index)).toEqual([...own.keys()]);
          const starts = own.filter(({ header }) => header.index === 0).map(({ header }) => header);
          expect(new Set(starts.map(({ commit }) => commit)).size).toBe(starts.length);
          expect(starts.map(({ previous }) => previous)).toEqual(
            starts.map((_, index) => starts[index - 1]?.commit ?? ''),
          );
          expect(arbiter.head(streamId)?.version ?? 0).toBe(own.length);
        }
        expect(accepted.every(({ event }) => event !== undefined)).toBe(true);
      }),
      runs,
    );
  });

  it('accepts or rejects every offset of a closed log, never both', () => {
    fc.assert(
      fc.property(attempts, (written) => {
        const records = layOut(written);
        const { accepted, rejected, arbiter } = fold(records);
        const judged = [...accepted.map(({ offset }) => offset), ...rejected, ...arbiter.breakOpen()];
        expect(judged.sort((a, b) => a - b)).toEqual(records.map(({ offset }) => offset));
      }),
      runs,
    );
  });

  it('is not moved by a second copy of the whole log behind the first', () => {
    fc.assert(
      fc.property(attempts, (written) => {
        const once = fold(layOut(written));
        const twice = fold(layOut([...written, ...written.filter(({ base }) => base < 1)]));
        const events = (records: readonly Rec[]) => records.map(({ streamId, event }) => [streamId, event]);
        const prefix = events(twice.accepted).slice(0, once.accepted.length);
        expect(prefix).toEqual(events(once.accepted));
      }),
      runs,
    );
  });

  it('drops a chained commit whose predecessor lost, although its base version fits', () => {
    const { verdicts } = fold(
      layOut([
        { commit: key('stranger'), previous: '', base: 0, size: 1, streamId: 's' },
        { commit: key('first'), previous: '', base: 0, size: 1, streamId: 's' },
        { commit: key('chained'), previous: key('first'), base: 1, size: 1, streamId: 's' },
      ]),
    );
    expect(verdicts).toEqual(['accepted', 'conflict', 'conflict']);
  });

  it('drops all of a commit with an unreadable record, and the stream stays where it was', () => {
    const { verdicts, arbiter } = fold(
      layOut([
        { commit: key('bad'), previous: '', base: 0, size: 3, streamId: 's', unreadable: true },
        { commit: key('good'), previous: '', base: 0, size: 2, streamId: 's' },
      ]),
    );
    expect(verdicts).toEqual(['unreadable', 'accepted']);
    expect(arbiter.head('s')?.version).toBe(2);
  });

  it('names a duplicate within its window, and never accepts a repetition beyond it', () => {
    const count = RECENT_COMMITS * 2;
    const chain = Array.from({ length: count }, (_, n) => ({
      commit: key(String(n)),
      previous: n === 0 ? '' : key(String(n - 1)),
      base: n,
      size: 1,
      streamId: 's',
    }));
    const { verdicts, arbiter } = fold(layOut([...chain, ...chain]));
    expect(verdicts.slice(0, count).every((verdict) => verdict === 'accepted')).toBe(true);
    expect(verdicts.slice(count, count + RECENT_COMMITS).every((verdict) => verdict === 'conflict')).toBe(
      true,
    );
    expect(verdicts.slice(count + RECENT_COMMITS).every((verdict) => verdict === 'duplicate')).toBe(true);
    expect(arbiter.head('s')?.version).toBe(count);
  });
});

describe('the commit header', () => {
  it('is read back as it was written, and any other length is no header', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.uuid(),
        fc.nat(),
        fc.integer({ min: 1, max: 0xffff }),
        (id, prev, base, size) => {
          const header = { commit: toKey(id), previous: toKey(prev), base, index: size - 1, size };
          const bytes = encodeCommitHeader(header);
          expect(decodeCommitHeader(bytes)).toEqual(header);
          expect(decodeCommitHeader(bytes.subarray(1))).toBeUndefined();
        },
      ),
      runs,
    );
  });
});
