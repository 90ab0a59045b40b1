import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { appendingTo, outputTo } from './output.ts';

let folder: string;
let written: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-output-'));
  written = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it('a line that is said on the terminal is kept in a file too, without control characters', () => {
  const path = join(folder, 'logs', 'launcher.log');
  const output = outputTo(process.stdout, appendingTo(path));
  output.good('kafka is ready');
  output.bad('\u001b[31morder-1 ended');
  expect(readFileSync(path, 'utf8')).toBe('✓ kafka is ready\n✗ order-1 ended\n');
  expect(written).toContain('✓ kafka is ready');
});

it('a folder that was removed is not made again, and the terminal goes on', () => {
  const logs = join(folder, 'logs');
  const output = outputTo(process.stdout, appendingTo(join(logs, 'launcher.log')));
  output.line('one');
  rmSync(logs, { recursive: true });
  output.line('two');
  expect(existsSync(logs)).toBe(false);
  expect(written).toBe('one\ntwo\n');
});
