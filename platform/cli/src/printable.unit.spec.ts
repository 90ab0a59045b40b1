import { expect, it } from 'vitest';
import { printable, printableLine } from './printable.ts';

it('nothing that a terminal would obey is left of a line: no escape sequence, no line end, no turned text', () => {
  expect(printableLine('a\u001b[2J\u009b31mb\r\n\tc\u007f\u202ed\u2028')).toBe(
    String.raw`a\x1b[2J\x9b31mb\x0d\x0a\x09c\x7f\u202ed\u2028`,
  );
  expect(printableLine('Grüße, 東京 🙂')).toBe('Grüße, 東京 🙂');
});

it('lines stay lines where they may, and are indented behind the first', () => {
  expect(printable('one\ntwo\u001b[0m', '  ')).toBe(String.raw`one
  two\x1b[0m`);
});
