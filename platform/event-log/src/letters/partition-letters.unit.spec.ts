import { expect, it } from 'vitest';
import { HeaderList } from '../log/header-list.ts';
import type { NewRecord, RawRecord } from '../log/transport.ts';
import { claimRecord, letterRecord, markRecord, readLetter, type MarkKind } from './letter.ts';
import { PartitionLetters, UNCOMMITTED_MAX } from './partition-letters.ts';

const error = { reason: 'broken', errorClass: '', message: '', attempts: 1 };

const setUp = () => {
  const letters = new PartitionLetters(0);
  let next = 0;
  const take = ({ key, value, headers }: NewRecord) => {
    const headerList = headers as HeaderList; // as they are written
    const raw = {
      key: key === null ? null : Buffer.from(key),
      value,
      headerList,
      headers: headerList.toHeaders(),
    };
    return letters.take({ ...raw, offset: String(next++), timestamp: '0' });
  };
  const claim = (): string => {
    const { id, record } = claimRecord(0);
    take(record);
    return id;
  };
  const origin = (offset: number): RawRecord => ({
    key: Buffer.from(`s-${String(offset)}`),
    value: Buffer.from('v'),
    offset: String(offset),
    timestamp: '7',
  });
  const add = (offset: number, under: string) =>
    take(
      letterRecord(
        origin(offset),
        { topic: 't', partition: 0, group: 'g' },
        { error, nowMs: 0, claim: under },
      ),
    );
  const mark = (kind: MarkKind, letter: number, answers?: string, value: Buffer | null = null): string => {
    const { id, record } = markRecord(null, {
      kind,
      letter,
      why: kind,
      nowMs: 0,
      value,
      ...(answers === undefined ? {} : { answers }),
    });
    take(record);
    return id;
  };
  return { letters, claim, origin, add, mark };
};

it('that an earlier request has failed does not answer a later one, which stays due', () => {
  const { letters, claim, add, mark } = setUp();
  const letter = add(0, claim())?.opened?.offset ?? -1;
  const earlier = mark('redrive', letter);
  const later = mark('redrive', letter);
  mark('failed', letter, earlier);
  mark('failed', letter, '');
  expect(letters.at(letter)).toMatchObject({ redrives: 0, requested: { id: later } });
  mark('failed', letter, later);
  mark('failed', letter, later); // a copy
  expect(letters.at(letter)).toMatchObject({ redrives: 1, requested: undefined });
});

it('what was edited is what is handled, also when it is asked for once more, until that has failed', () => {
  const { letters, claim, add, mark } = setUp();
  const letter = add(0, claim())?.opened?.offset ?? -1;
  const edited = Buffer.from('edited');
  mark('redrive', letter, undefined, edited);
  const again = mark('redrive', letter);
  expect(letters.at(letter)).toMatchObject({ requested: { id: again, value: edited } });
  mark('failed', letter, again);
  mark('redrive', letter);
  expect(letters.at(letter)).toMatchObject({ requested: { value: null } });
});

it('a letter under an earlier claim is late, and a copy opens nothing, settled or not', () => {
  const { letters, claim, origin, add, mark } = setUp();
  const [former, owner] = [claim(), claim()];
  expect(add(0, former)).toMatchObject({ isLate: true });
  expect(letters.has(origin(0))).toBe(false);
  const opened = add(0, owner)?.opened;
  expect(add(0, owner)?.opened).toBeUndefined();
  mark('discarded', opened?.offset ?? -1);
  expect(add(0, owner)?.opened).toBeUndefined();
  expect(letters.has(origin(0))).toBe(true);
  expect(letters.has({ ...origin(0), timestamp: '8' })).toBe(false); // at the same offset of a log that was cut
});

it('a letter ends in the headers that releases without claims read, which write no claim', () => {
  const own = new HeaderList([]).with({ own: 'x' });
  const of = { topic: 't', partition: 0, group: 'g' };
  const { headers, ...rest } = letterRecord(
    { key: null, value: null, headerList: own, headers: {}, offset: '3', timestamp: '7' },
    of,
    { error, nowMs: 0, claim: 'c' },
  );
  const { entries } = headers as HeaderList; // as they are written
  const names = entries.map(([name]) => name.toString());
  expect(names.slice(0, 3)).toEqual(['own', 'x-letter-claim', 'x-origin-topic']);
  const read = (written: typeof entries) =>
    readLetter({
      ...rest,
      key: null,
      headers: {},
      headerList: new HeaderList(written),
      offset: '0',
      timestamp: '9',
    });
  expect(read(entries)).toMatchObject({ claim: 'c', origin: of, record: { headerList: own } });
  const former = read(entries.filter((_, at) => names[at] !== 'x-letter-claim'));
  expect(former).toMatchObject({ claim: undefined, origin: of, record: { headerList: own } });
});

it('as many settled letters are known as records may be uncommitted, and no more', () => {
  const { letters, claim, origin, add, mark } = setUp();
  const owner = claim();
  for (let offset = 0; offset <= UNCOMMITTED_MAX; offset += 1)
    mark('discarded', add(offset, owner)?.opened?.offset ?? -1);
  const known = Array.from({ length: UNCOMMITTED_MAX + 1 }, (_, offset) => letters.has(origin(offset)));
  expect(known).toEqual([false, ...Array.from({ length: UNCOMMITTED_MAX }, () => true)]);
});
