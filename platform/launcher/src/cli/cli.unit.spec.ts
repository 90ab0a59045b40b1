import { describe, expect, it } from 'vitest';
import { dispatch, stringOption, type Command } from './command.ts';
import { exitCodes } from './exit.ts';
import { formatBytes, formatTable } from './table.ts';

const greet = (seen: string[]): Command => ({
  name: 'greet',
  summary: 'says hello',
  help: ['--name    whom'],
  options: { name: { type: 'string' } },
  run: (values) => {
    seen.push(stringOption(values, 'name') ?? 'nobody');
    return Promise.resolve(exitCodes.ok);
  },
});

describe('the command line', () => {
  it('runs the named command with its options and returns its exit code', async () => {
    const seen: string[] = [];
    await expect(dispatch([greet(seen)], ['greet', '--name', 'Ada'], () => undefined)).resolves.toBe(0);
    expect(seen).toEqual(['Ada']);
  });

  it.each([[[]], [['sing']], [['greet', '--loud']], [['greet', 'Ada']]])(
    'refuses %j as wrong usage without running anything',
    async (argv) => {
      const seen: string[] = [];
      await expect(dispatch([greet(seen)], argv, () => undefined)).rejects.toMatchObject({
        exitCode: exitCodes.usage,
      });
      expect(seen).toEqual([]);
    },
  );

  it('explains a command on --help, lists all on help, and runs nothing', async () => {
    const seen: string[] = [];
    const printed: string[] = [];
    const print = (text: string) => void printed.push(text);
    await dispatch([greet(seen)], ['greet', '--help'], print);
    await dispatch([greet(seen)], ['--help'], print);
    expect(printed[0]).toContain('--name');
    expect(printed[1]).toContain('says hello');
    expect(seen).toEqual([]);
  });
});

describe('the table', () => {
  it('aligns every column but leaves no trailing blanks', () => {
    const rows = [
      ['a', 'long name', 'x'],
      ['bcd', 'n', ''],
    ];
    expect(formatTable(rows)).toBe('a    long name  x\nbcd  n');
  });

  it('writes bytes for people', () => {
    expect(formatBytes(300 * 1024 ** 2)).toBe('300 MB');
    expect(formatBytes(2.25 * 1024 ** 3)).toBe('2.3 GB');
  });
});
