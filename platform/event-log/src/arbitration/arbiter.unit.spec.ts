import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arbiter, type ArbiterRecord, type Verdict } from './arbiter.ts';
import {
  contentOf,
  decodeCommitHeader,
  encodeCommitHeader,
  fromKey,
  historyAfter,
  NO_HISTORY,
  toKey,
} from './commit-header.ts';

const key = (n: number): string => String.fromCharCode(n + 1).padEnd(16, 'x');

type Past = readonly [commit: number, size: number, says: number];

const historyOf = (past: readonly Past[]): number =>
  past.reduce(
    (history, [of, size, says]) =>
      historyAfter(history, key(of), contentOf(Array.from({ length: size }, () => says))),
    NO_HISTORY,
  );

interface Sketch {
  readonly commit: number;
  readonly previous?: number;
  readonly base?: number;
  readonly size?: number;
  readonly stream?: string;
  /** What each of its records says. */
  readonly says?: number;
  /** The commits of the stream that it was decided on, their sizes and what they say; absent: not told. */
  readonly after?: readonly Past[];
  /** Index of the record that cannot be decoded. */
  readonly bad?: number;
}

/** Lays commits out as records with consecutive offsets. */
const layOut = (sketches: readonly Sketch[]): ArbiterRecord<number>[] => {
  const records: ArbiterRecord<number>[] = [];
  for (const { commit, previous, base = 0, size = 1, stream = 's', after, says = 0, bad } of sketches) {
    for (let index = 0; index < size; index++) {
      records.push({
        offset: records.length,
        streamId: stream,
        header: {
          commit: key(commit),
          previous: previous === undefined ? '' : key(previous),
          base,
          index,
          size,
          history: after && historyOf(after),
        },
        event: index === bad ? undefined : commit,
        digest: says,
      });
    }
  }
  return records;
};

const verdictsOf = (records: readonly ArbiterRecord<number>[], arbiter = new Arbiter<number>()): Verdict[] =>
  records.flatMap((record) => arbiter.take(record).judged?.verdict ?? []);

describe('the rule', () => {
  it('accepts a commit that names the version and the last commit of its stream', () => {
    const records = layOut([
      { commit: 1, size: 2 },
      { commit: 2, previous: 1, base: 2 },
    ]);
    expect(verdictsOf(records)).toEqual(['accepted', 'accepted']);
  });

  it('drops a commit that was decided on an older version, for every later copy of it', () => {
    const loser = { commit: 2, base: 0 };
    expect(verdictsOf(layOut([{ commit: 1 }, loser, { commit: 3, previous: 1, base: 1 }, loser]))).toEqual([
      'accepted',
      'conflict',
      'accepted',
      'conflict',
    ]);
  });

  it('drops a commit that has the right version but was decided on a loser', () => {
    const records = layOut([{ commit: 1 }, { commit: 2 }, { commit: 3, previous: 2, base: 1 }]);
    expect(verdictsOf(records)).toEqual(['accepted', 'conflict', 'conflict']);
  });

  it('drops a commit that was decided on another attempt of its predecessor, whatever ids and versions say', () => {
    const records = layOut([
      { commit: 1, after: [] },
      { commit: 2, previous: 1, base: 1, after: [[1, 1, 0]] },
      { commit: 2, size: 2, after: [] }, // the same command, decided elsewhere on nothing
      { commit: 3, previous: 2, base: 2, after: [[2, 2, 0]] }, // and chained on that
      {
        commit: 4,
        previous: 2,
        base: 2,
        after: [
          [1, 1, 0],
          [2, 1, 0],
        ],
      },
    ]);
    expect(verdictsOf(records)).toEqual(['accepted', 'accepted', 'duplicate', 'conflict', 'accepted']);
  });

  it('drops a commit that was decided on a predecessor that says something else than the one in the log', () => {
    const records = layOut([
      { commit: 1, says: 10, after: [] },
      { commit: 1, says: 25, after: [] }, // the same command at another time or price
      { commit: 2, previous: 1, base: 1, after: [[1, 1, 25]] },
      { commit: 3, previous: 1, base: 1, after: [[1, 1, 10]] },
    ]);
    expect(verdictsOf(records)).toEqual(['accepted', 'duplicate', 'conflict', 'accepted']);
  });

  it('names a second copy of an accepted commit a duplicate', () => {
    expect(verdictsOf(layOut([{ commit: 1 }, { commit: 1 }]))).toEqual(['accepted', 'duplicate']);
  });

  it('drops all of a commit of which one record cannot be read, and the stream stays where it was', () => {
    const records = layOut([{ commit: 1, size: 3, bad: 1 }, { commit: 2 }]);
    expect(verdictsOf(records)).toEqual(['unreadable', 'accepted']);
  });

  it('drops a commit that is torn by a stranger, and tells the offsets that are lost', () => {
    const [first, , ...rest] = layOut([{ commit: 1, size: 2 }, { commit: 2 }]);
    const arbiter = new Arbiter<number>();
    if (first === undefined || rest[0] === undefined) throw new Error('laid out too little');
    expect(arbiter.take(first)).toEqual({ dropped: [], judged: undefined });
    const { dropped, judged } = arbiter.take(rest[0]);
    expect(dropped).toEqual([0]);
    expect(judged?.verdict).toBe('accepted');
  });

  it('keeps streams apart', () => {
    const records = layOut([
      { commit: 1, stream: 'a' },
      { commit: 2, stream: 'b' },
      { commit: 3, previous: 1, base: 1, stream: 'a' },
    ]);
    expect(verdictsOf(records)).toEqual(['accepted', 'accepted', 'accepted']);
  });
});

const anySketch: fc.Arbitrary<Sketch> = fc.record(
  {
    commit: fc.integer({ min: 1, max: 8 }),
    previous: fc.integer({ min: 1, max: 8 }),
    base: fc.integer({ min: 0, max: 4 }),
    size: fc.integer({ min: 1, max: 3 }),
    stream: fc.constantFrom('a', 'b'),
    after: fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 1 }),
      ),
      { maxLength: 2 },
    ),
    says: fc.integer({ min: 0, max: 1 }),
    bad: fc.integer({ min: 0, max: 3 }),
  },
  { requiredKeys: ['commit'] },
);
const anyLog = fc.array(anySketch, { maxLength: 60 }).map(layOut);

describe('whatever lies in the log', () => {
  it('every accepted commit continues its stream, and no commit id is accepted twice in a row of 64', () => {
    fc.assert(
      fc.property(anyLog, (records) => {
        const arbiter = new Arbiter<number>();
        const heads = new Map<string, { version: number; last: string; past: Past[] }>();
        const accepted = new Set<string>();
        for (const record of records) {
          const { judged } = arbiter.take(record);
          if (judged?.verdict !== 'accepted') continue;
          const head = heads.get(judged.streamId) ?? { version: 0, last: '', past: [] };
          if (judged.header.history !== undefined) expect(judged.header.history).toBe(historyOf(head.past));
          expect(judged.header.base).toBe(head.version);
          expect(judged.header.previous).toBe(head.last);
          expect(accepted.has(judged.streamId + judged.header.commit)).toBe(false);
          accepted.add(judged.streamId + judged.header.commit);
          const past: Past = [judged.header.commit.charCodeAt(0) - 1, judged.header.size, record.digest];
          heads.set(judged.streamId, {
            version: judged.version,
            last: judged.header.commit,
            past: [...head.past, past],
          });
        }
      }),
      { seed: 20_261_124 },
    );
  });

  it('every offset is either accepted, dropped, or part of a commit that is still open', () => {
    fc.assert(
      fc.property(anyLog, (records) => {
        const arbiter = new Arbiter<number>();
        const seen = new Set<number>();
        for (const record of records) {
          const { dropped, judged } = arbiter.take(record);
          const accepted = judged?.verdict === 'accepted' ? judged.records.map(({ offset }) => offset) : [];
          for (const offset of [...dropped, ...accepted]) {
            expect(seen.has(offset)).toBe(false);
            seen.add(offset);
          }
        }
        for (const offset of arbiter.breakOpen()) seen.add(offset);
        expect(seen.size).toBe(records.length);
      }),
      { seed: 20_261_124 },
    );
  });

  it('a log with every batch written twice has the same accepted commits as without', () => {
    fc.assert(
      fc.property(fc.array(anySketch, { maxLength: 30 }), (sketches) => {
        const accepted = (log: readonly Sketch[]): string[] => {
          const arbiter = new Arbiter<number>();
          return layOut(log).flatMap((record) => {
            const { judged } = arbiter.take(record);
            return judged?.verdict === 'accepted' ? [judged.streamId + judged.header.commit] : [];
          });
        };
        expect(accepted(sketches.flatMap((sketch) => [sketch, sketch]))).toEqual(accepted(sketches));
      }),
      { seed: 20_261_124 },
    );
  });
});

describe('the commit header', () => {
  it('survives encoding', () => {
    const ids = fc.tuple(
      fc.uuid(),
      fc.option(fc.uuid(), { nil: undefined }),
      fc.option(fc.integer(), { nil: undefined }),
    );
    fc.assert(
      fc.property(
        ids,
        fc.nat(0xffff_ffff),
        fc.integer({ min: 1, max: 0xffff }),
        ([commit, previous, history], base, size) => {
          const header = {
            commit: toKey(commit),
            previous: previous === undefined ? '' : toKey(previous),
            base,
            index: size - 1,
            size,
            history,
          };
          expect(decodeCommitHeader(encodeCommitHeader(header))).toEqual(header);
          expect(fromKey(header.commit)).toBe(commit);
        },
      ),
      { seed: 20_261_124 },
    );
  });

  it('is refused when it has not its length or its index is outside its commit', () => {
    const fields = { commit: key(1), previous: '', base: 0, index: 0, size: 1, history: 7 };
    const good = encodeCommitHeader(fields);
    expect(decodeCommitHeader(undefined)).toBeUndefined();
    expect(decodeCommitHeader(good.subarray(1))).toBeUndefined();
    expect(decodeCommitHeader(encodeCommitHeader({ ...fields, index: 1 }))).toBeUndefined();
  });

  it('names any 16 bytes, a stranger may have written them; its own ids must be UUIDs', () => {
    expect(fromKey('\xff'.repeat(16))).toBe('ffffffff-ffff-ffff-ffff-ffffffffffff');
    expect(fromKey('\x01'.repeat(16))).toBe('01010101-0101-0101-0101-010101010101');
    expect(() => toKey('order-1')).toThrow(TypeError);
  });
});
