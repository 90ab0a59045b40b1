import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { unwritableMessage } from './exit.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-exit-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const thrown = (act: () => unknown): unknown => {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
};

it('a run folder that cannot be used is said with its path, the reason and the variable that moves it', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const runDir = join(file, '.parley');
  const error = thrown(() => mkdirSync(runDir, { recursive: true }));
  expect(unwritableMessage(error, runDir)).toMatch(/^cannot use .*file.* \(ENOTDIR\).*PARLEY_RUN_DIR=/);
});

it('a full disk under the run folder is said so', () => {
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC', path: '/run-folder/tmp/x' });
  expect(unwritableMessage(full, '/run-folder')).toContain('the disk is full');
});

it('anything else is no matter of the run folder', () => {
  const error = thrown(() => {
    mkdirSync(join(folder, 'a', 'b'));
  });
  expect(error).toMatchObject({ code: 'ENOENT' });
  expect(unwritableMessage(error, folder)).toBeUndefined();
  const elsewhere = Object.assign(new Error('no'), { code: 'EACCES', path: '/somewhere/else' });
  expect(unwritableMessage(elsewhere, '/run-folder')).toBeUndefined();
  expect(unwritableMessage(new Error('a bug'), '/run-folder')).toBeUndefined();
});
