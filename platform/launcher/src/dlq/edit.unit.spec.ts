import { expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { editLetter } from './edit.ts';

const value = Buffer.from('{"n": "much",').toString('base64');

it('a payload is edited as JSON, and one that cannot be decoded as the text that it is', async () => {
  expect(await editLetter({ decoded: { n: 'much' }, value }, { EDITOR: "sed -i 's/much/more/'" })).toEqual({
    n: 'more',
  });
  expect(await editLetter({ value }, { EDITOR: "sed -i 's/,$/}/'" })).toEqual({ n: 'much' });
});

it.each([['true'], ['false']])(
  'nothing is ordered when the editor leaves no JSON, or fails (%s)',
  async (EDITOR) => {
    const editing = editLetter({ value }, { EDITOR });
    await expect(editing).rejects.toMatchObject({ exitCode: exitCodes.failed });
  },
);
