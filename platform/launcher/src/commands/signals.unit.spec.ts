import { expect, it } from 'vitest';
import { CommandError } from '../cli/exit.ts';
import { abortOnSignals } from './signals.ts';

it('a signal ends a command with one line and no stack trace, and is told once', () => {
  let asked = 0;
  const signal = abortOnSignals(() => asked++);
  process.emit('SIGHUP');
  process.emit('SIGHUP');
  expect(signal.reason).toBeInstanceOf(CommandError);
  expect(signal.reason).toMatchObject({ message: 'stopped by a signal', exitCode: 1 });
  expect(asked).toBe(1);
});
