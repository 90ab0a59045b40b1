import { expect, it } from 'vitest';
import type { HeaderList } from '../log/header-list.ts';
import type { NewRecord } from '../log/transport.ts';
import { LetterBox } from './letter-box.ts';
import { LetterStore } from './letter-store.ts';

/** One open letter, in a box that reads whatever it sends. */
const openLetter = async () => {
  let offset = 0;
  const send = async (_topic: string, _partition: number, records: readonly NewRecord[]): Promise<void> => {
    for (const { key, value, headers } of records) {
      const headerList = headers as HeaderList; // as letters and marks are written
      const at = { offset: String(offset++), timestamp: '0' };
      await box.onRecords(0, [
        {
          key: key === null ? null : Buffer.from(key),
          value,
          headers: headerList.toHeaders(),
          headerList,
          ...at,
        },
      ]);
    }
  };
  const box: LetterBox = new LetterBox({
    topic: { name: 't', partitions: 1 },
    group: 'g',
    transport: { send },
    now: () => 0,
  });
  await box.claim(0);
  const origin = { key: Buffer.from('s'), value: null, headers: {}, offset: '0', timestamp: '0' };
  await box.add(0, origin, { reason: 'broken', errorClass: '', message: '', attempts: 1 });
  const codec = {
    decode: () => Promise.resolve(undefined),
    encode: () => ({ problem: 'nothing is edited' }),
  };
  const store = new LetterStore([{ letters: box, group: 'g', codec }]);
  const dieAgain = async (): Promise<void> => {
    const [letter] = box.open();
    if (letter?.requested === undefined) throw new Error('nothing was asked for');
    await box.mark(letter, { kind: 'failed', why: 'broken', answers: letter.requested.id });
  };
  return { store, dieAgain };
};

it('a letter that died again after 20 redrives is redriven no more, and can be discarded', async () => {
  const { store, dieAgain } = await openLetter();
  const [{ id } = { id: '' }] = await store.list();
  for (let redrives = 0; redrives < 20; redrives += 1) {
    expect(await store.redrive(id, { why: 'once more' })).toEqual({ kind: 'ok' });
    await dieAgain();
  }
  expect(await store.redrive(id, { why: 'once more' })).toEqual({
    kind: 'refused',
    why: 'it was redriven 20 times: discard it',
  });
  expect(await store.list()).toMatchObject([{ redrives: 20, state: 'open' }]);
  expect(await store.discard(id, { why: 'a test' })).toEqual({ kind: 'ok' });
  expect(await store.list()).toMatchObject([{ state: 'discarded' }]);
});
