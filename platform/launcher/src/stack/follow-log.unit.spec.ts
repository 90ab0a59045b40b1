import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runFiles } from './context.ts';
import { followLog } from './follow-log.ts';
import { logBytesKept, shortenLogs } from './old-logs.ts';

let runDir: string;
let path: string;
let log: number;
let shown: string;
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'parley-follow-'));
  mkdirSync(runFiles(runDir).logs);
  path = join(runFiles(runDir).logs, 'launcher.log');
  shown = '';
});
afterEach(() => {
  closeSync(log);
  rmSync(runDir, { recursive: true });
});

const follow = (earlier: string): (() => void) => {
  writeFileSync(path, earlier);
  log = openSync(path, 'r');
  return followLog(log, (bytes) => (shown += bytes.toString()));
};
const linesOf = (bytes: number): string => 'an earlier start\n'.repeat(Math.ceil(bytes / 17));

it('shows what is written after it began, once', () => {
  const look = follow('an earlier start\n');
  look();
  appendFileSync(path, 'one\n');
  look();
  look();
  appendFileSync(path, 'two\nthree\n');
  look();
  expect(shown).toBe('one\ntwo\nthree\n');
});

it('a log that is shortened meanwhile loses nothing and repeats nothing', async () => {
  const look = follow(linesOf(logBytesKept - 100));
  appendFileSync(path, 'one\n');
  look();
  appendFileSync(path, `${'.'.repeat(200)}\n`);
  const { size } = statSync(path);
  expect(await shortenLogs(runDir)).toEqual(['launcher.log']);
  expect(statSync(path).size).toBeLessThan(size);
  appendFileSync(path, 'two\n');
  look();
  expect(shown).toBe(`one\n${'.'.repeat(200)}\ntwo\n`);
});

it('a log of which all that was shown is cut off is shown from its start', () => {
  const look = follow('an earlier start\n');
  appendFileSync(path, 'one\n');
  look();
  writeFileSync(path, 'two\n');
  look();
  expect(shown).toBe('one\ntwo\n');
});
