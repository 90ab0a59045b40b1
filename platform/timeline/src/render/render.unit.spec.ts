import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffFields, diffLines } from './diff.ts';
import { escapeText } from './escape.ts';
import { bar } from './output.ts';
import { fields, table } from './table.ts';

describe('escaping', () => {
  it('leaves nothing that a terminal would act on, and everything else as it is', () => {
    expect(escapeText('\u001b[2Jgone\r\n\u0007')).toBe('\\u{1b}[2Jgone\\u{d}\\u{a}\\u{7}');
    expect(escapeText('abc\u202Egnp.exe')).toBe('abc\\u{202e}gnp.exe');
    expect(escapeText('Grüße, 東京 ✓')).toBe('Grüße, 東京 ✓');
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff)), (units) => {
        expect(escapeText(String.fromCharCode(...units))).not.toMatch(
          /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u,
        );
      }),
    );
  });

  it('holds for every cell of a table and every field', () => {
    expect(table(['A'], [['x\u001b[31m\ny']])).toBe('A\nx\\u{1b}[31m\\u{a}y');
    expect(fields([['name', 'a\nb']])).toBe('name  a\\u{a}b');
  });
});

describe('a table', () => {
  it('aligns text left and numbers right, without blanks at the end', () => {
    const rows = [
      ['a', '1', ''],
      ['long', '100', 'z'],
    ];
    expect(table(['NAME', 'N', 'LAST'], rows, { right: [1] })).toBe(
      'NAME    N  LAST\na       1\nlong  100  z',
    );
  });

  it('leaves out fields without a value', () => {
    expect(
      fields([
        ['a', '1'],
        ['gone', undefined],
      ]),
    ).toBe('a  1');
  });
});

describe('a field diff', () => {
  it('names what differs by its path, with both values, and nothing else', () => {
    const before = { status: 'PAID', amount: { amountMinor: 1, currency: 'EUR' }, tags: ['a'], same: 1 };
    const after = {
      status: 'SHIPPED',
      amount: { amountMinor: 2, currency: 'EUR' },
      tags: ['a', 'b'],
      same: 1,
      new: true,
    };
    expect(diffFields(before, after)).toEqual([
      { path: 'amount.amountMinor', before: 1, after: 2 },
      { path: 'new', before: undefined, after: true },
      { path: 'status', before: 'PAID', after: 'SHIPPED' },
      { path: 'tags', before: ['a'], after: ['a', 'b'] },
    ]);
    expect(diffLines([{ path: 'new', before: undefined, after: true }])).toEqual(['new: (none) → true']);
  });

  it('of a row that only one side has is the row as a whole', () => {
    expect(diffFields(undefined, { a: 1 })).toEqual([{ path: '(row)', before: undefined, after: { a: 1 } }]);
  });

  it('is empty exactly when both are the same, in whatever order their fields were written', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(diffFields(a, structuredClone(a))).toEqual([]);
        const isSame = diffFields(a, b).length === 0;
        expect(diffFields(b, a).length === 0).toBe(isSame);
      }),
    );
    expect(diffFields({ a: 1, b: 2 }, { b: 2, a: 1 })).toEqual([]);
  });
});

describe('a progress bar', () => {
  it('is full at the end, also of nothing, and never more than full', () => {
    expect(bar('t', { done: 0, total: 0, seconds: 0 })).toContain('100 %');
    expect(bar('t', { done: 5, total: 10, seconds: 1 })).toContain(' 50 %  5 of 10  5/s');
    expect(bar('t', { done: 11, total: 10, seconds: 1 })).toContain('100 %');
  });
});
