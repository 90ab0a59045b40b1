import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runFiles } from './context.ts';
import { logBytesKept, shortenLogs } from './old-logs.ts';

describe('the logs of earlier starts', () => {
  let runDir: string;
  const log = (name: string): string => join(runFiles(runDir).logs, name);
  const lines = (bytes: number): string => {
    const line = (at: number): string => `line ${String(at).padStart(10, '0')} of an earlier start\n`;
    const count = Math.ceil(bytes / line(0).length);
    return Array.from({ length: count }, (_, at) => line(at)).join('');
  };
  beforeEach(async () => {
    runDir = await mkdtemp(join(tmpdir(), 'parley-logs-'));
    mkdirSync(runFiles(runDir).logs);
  });
  afterEach(() => rm(runDir, { recursive: true, force: true }));

  it('are kept to their last whole lines, and named when they were longer', async () => {
    const long = lines(logBytesKept + 500_000);
    writeFileSync(log('kafka.log'), long);
    writeFileSync(log('order.log'), 'short\n');
    expect(await shortenLogs(runDir)).toEqual(['kafka.log']);
    const kept = readFileSync(log('kafka.log'), 'utf8');
    expect(kept.length).toBeLessThanOrEqual(logBytesKept);
    expect(kept.length).toBeGreaterThan(logBytesKept - 100);
    expect(long.endsWith(kept)).toBe(true);
    expect(kept.startsWith('line ')).toBe(true);
    expect(readFileSync(log('order.log'), 'utf8')).toBe('short\n');
    expect(await shortenLogs(runDir)).toEqual([]);
  });

  it('stay bounded over any number of starts, and whoever appends goes on at the end', async () => {
    const writer = openSync(log('launcher.log'), 'a');
    for (let start = 0; start < 4; start++) {
      appendFileSync(writer, lines(1_500_000));
      await shortenLogs(runDir);
      expect(statSync(log('launcher.log')).size).toBeLessThanOrEqual(logBytesKept);
    }
    appendFileSync(writer, 'the last line\n');
    closeSync(writer);
    expect(readFileSync(log('launcher.log'), 'utf8')).toMatch(/ of an earlier start\nthe last line\n$/);
  });

  it('are no reason not to start when there are none', async () => {
    await rm(runDir, { recursive: true });
    expect(await shortenLogs(runDir)).toEqual([]);
  });
});
