import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { rootDir } from './context.ts';
import { waitUntil } from '@parley/engines/wait';
import { sourceFolders, watchSources } from './watch.ts';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'parley-watch-')));
  await mkdir(join(folder, 'src', 'deep'), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a service is reloaded for its own source and that of every workspace package below it, and no other', () => {
  const folders = sourceFolders(join(rootDir, 'domains', 'payment'), rootDir);
  expect(folders).toContain(join(rootDir, 'domains/payment/src'));
  expect(folders).toContain(join(rootDir, 'platform/event-log/src'));
  expect(folders).toContain(join(rootDir, 'contracts/src'));
  expect(folders).not.toContain(join(rootDir, 'domains/shipping/src'));
});

it('a burst of changes is one reload, and a test file is none', async () => {
  const changes: string[] = [];
  const end = watchSources([join(folder, 'src')], (file) => changes.push(file));
  await writeFile(join(folder, 'src', 'deep', 'a.spec.ts'), '1');
  await writeFile(join(folder, 'src', 'deep', 'a.ts'), '1');
  await writeFile(join(folder, 'src', 'deep', 'a.ts'), '2');
  expect(await waitUntil(() => changes.length > 0, { deadlineMs: 3000, intervalMs: 20 })).toBe(true);
  end();
  expect(changes).toEqual([join(folder, 'src', 'deep', 'a.ts')]);
});
