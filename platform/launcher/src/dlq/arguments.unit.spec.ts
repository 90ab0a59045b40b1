import { expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { isWanted, parseDlq } from './arguments.ts';
import type { FoundLetter } from './client.ts';

const letter: FoundLetter = {
  id: 'group:0-1',
  service: 'notification',
  broker: 'kafka',
  source: 'topic',
  consumer: 'group',
  position: '0@1',
  subject: 's',
  type: 'PaymentCompleted',
  correlationId: 'c',
  reason: 'attempts-exhausted',
  message: 'no address',
  attempts: 5,
  redrives: 0,
  state: 'open',
};

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
])('what is no order is refused as wrong usage: %s', (...argv) => {
  expect(() => parseDlq(argv)).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }) as Error);
});

it('an order has its defaults, and --help is none', () => {
  expect(parseDlq(['--help'])).toBeUndefined();
  expect(parseDlq(['redrive', '--all'])).toMatchObject({ action: 'redrive', ratePerSecond: 10, max: 100 });
  expect(parseDlq(['export'])).toMatchObject({ max: 100_000 });
});

it('filters leave what fits all of them', () => {
  const wanted = (...argv: string[]): boolean => {
    const args = parseDlq(['list', ...argv]);
    return args !== undefined && isWanted(args, letter);
  };
  expect(wanted('--service', 'notification', '--broker', 'kafka', '--reason', 'exhausted')).toBe(true);
  expect(wanted('--broker', 'rabbitmq')).toBe(false);
  expect(wanted('--type', 'PaymentFailed')).toBe(false);
  expect(wanted('--reason', 'parked')).toBe(false);
});
