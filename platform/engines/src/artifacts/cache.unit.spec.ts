import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached, entriesOf, removeAbandonedBuilds } from './cache.ts';

/**
 * Obtains entry `thing` in another process; every build adds a line to `builds`. Whoever builds goes on only when the
 * other process says that it waits for it, so that the two really race.
 */
const obtainElsewhere = async (root: string): Promise<number | null> => {
  const module = (path: string): string => JSON.stringify(join(import.meta.dirname, path));
  const code = `
    import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
    import { cached } from ${module('cache.ts')};
    import { waitUntil } from ${module('../wait.ts')};
    const root = ${JSON.stringify(root)};
    const otherWaits = root + '/other-waits';
    await cached({ root, name: 'thing', say: () => writeFileSync(otherWaits, ''), build: async (folder) => {
      appendFileSync(root + '/builds', 'x');
      if (!(await waitUntil(() => existsSync(otherWaits), { deadlineMs: 60_000, intervalMs: 20 }))) process.exit(9);
      writeFileSync(folder + '/file', 'whole');
    } });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], { stdio: 'inherit' });
  await once(child, 'exit');
  return child.exitCode;
};

describe('cache of obtained engines', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'parley-cache-'));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it('two processes that race build once and both get the whole', { timeout: 90_000 }, async () => {
    expect(await Promise.all([obtainElsewhere(root), obtainElsewhere(root)])).toEqual([0, 0]);
    expect(readFileSync(join(root, 'builds'), 'utf8')).toBe('x');
    expect(readFileSync(join(root, 'thing', 'file'), 'utf8')).toBe('whole');
    expect(readdirSync(join(root, '.locks'))).toEqual([]);
  });

  it('a lock whose owner is dead is taken over', async () => {
    const lock = join(root, '.locks', 'thing');
    mkdirSync(lock, { recursive: true });
    writeFileSync(join(lock, 'owner'), `${process.pid} 1`); // the pid lives, the process of that start time does not
    const build = (): Promise<void> => Promise.resolve();
    expect(await cached({ root, name: 'thing', build })).toBe(join(root, 'thing'));
  });

  it('a failed build leaves nothing that could be taken for the whole', async () => {
    const build = (): Promise<void> => Promise.reject(new Error('cut off'));
    await expect(cached({ root, name: 'thing', build })).rejects.toThrow('cut off');
    expect(existsSync(join(root, 'thing'))).toBe(false);
    expect(readdirSync(root).filter((name) => name.startsWith('.building'))).toEqual([]);
  });

  it('what a killed builder left is removed by the next one, and what it left running is ended', async () => {
    const left = join(root, '.building-thing-00000000-0000-4000-8000-000000000000');
    const other = '.building-thing-2-00000000-0000-4000-8000-000000000000';
    for (const folder of [left, join(root, other)]) mkdirSync(folder);
    const child = spawn('sleep', ['1000'], { env: { TMPDIR: join(left, 'run') } });
    await once(child, 'spawn');
    const ended = once(child, 'exit');
    await cached({ root, name: 'thing', build: () => Promise.resolve() });
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(readdirSync(root).toSorted()).toEqual([other, '.locks', 'thing']);
  });

  it('what a killed builder left is removed on request, what a living one builds is not', async () => {
    const dead = '.building-thing-00000000-0000-4000-8000-000000000000';
    for (const folder of [dead, `${dead}-tmp`]) mkdirSync(join(root, folder));
    const lock = join(root, '.locks', 'thing');
    mkdirSync(lock, { recursive: true });
    writeFileSync(join(lock, 'owner'), `${process.pid} 1`);
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<undefined>();
    const { promise: builds, resolve: begun } = Promise.withResolvers<string>();
    const built = cached({
      root,
      name: 'other',
      build: async (folder) => {
        begun(folder);
        await mayGoOn;
      },
    });
    const folder = await builds;
    expect(removeAbandonedBuilds(root)).toEqual(['thing']);
    expect(readdirSync(root).filter((name) => name.includes('thing'))).toEqual([]);
    expect(existsSync(folder)).toBe(true);
    goOn(undefined);
    expect(await built).toBe(join(root, 'other'));
    expect(removeAbandonedBuilds(root)).toEqual([]);
    expect(removeAbandonedBuilds(join(root, 'no-cache-yet'))).toEqual([]);
    writeFileSync(join(root, 'not-a-folder'), '');
    expect(removeAbandonedBuilds(join(root, 'not-a-folder'))).toEqual([]);
  });

  it.each([
    { damage: 'ab', depth: 'sizes' },
    { damage: 'xyz', depth: 'contents' },
  ] as const)('a damaged entry is found by its $depth, said, and built again', async ({ damage, depth }) => {
    const said: string[] = [];
    const build = (folder: string): Promise<void> => {
      writeFileSync(join(folder, 'file'), 'abc');
      return Promise.resolve();
    };
    const entry = { root, name: 'thing', build, depth, say: (line: string) => said.push(line) };
    await cached(entry);
    await cached(entry);
    expect(said).toEqual([]);
    writeFileSync(join(root, 'thing', 'file'), damage);
    await cached(entry);
    expect(readFileSync(join(root, 'thing', 'file'), 'utf8')).toBe('abc');
    expect(said).toHaveLength(1);
  });

  it('a folder that cannot be listed has no entries, and nobody fails for it', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    expect(entriesOf(file)).toEqual([]);
    expect(removeAbandonedBuilds(file)).toEqual([]);
  });

  it('a cache folder that cannot be written is refused with the variable that moves it', async () => {
    writeFileSync(join(root, 'file'), '');
    const entry = { root: join(root, 'file'), name: 'thing', build: () => Promise.resolve() };
    await expect(cached(entry)).rejects.toMatchObject({
      name: 'EnvironmentError',
      fix: expect.stringContaining('PARLEY_CACHE_DIR') as string,
    });
  });
});
