import { expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { parseDlq } from './arguments.ts';

it.each([
  [],
  ['constructor'],
  ['show'],
  ['redrive'],
  ['redrive', 'a', 'b'],
  ['redrive', 'a', '--all'],
  ['discard', 'a'],
  ['discard', 'a', '--why', ' '],
  ['redrive', '--all', '--edit'],
  ['redrive', '--all', '--rate', '0'],
  ['redrive', '--all', '--max', '1e3'],
  ['list', '--nothing'],
  ['list', '--broker', 'zeromq'],
])('what is no order is refused as wrong usage: %s', (...argv) => {
  expect(() => parseDlq(argv)).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }) as Error);
});

it('an order has its defaults, and --help is none', () => {
  expect(parseDlq(['--help'])).toBeUndefined();
  expect(parseDlq(['redrive', '--all'])).toMatchObject({ action: 'redrive', ratePerSecond: 10, max: 100 });
  expect(parseDlq(['export'])).toMatchObject({ max: 100_000 });
});
