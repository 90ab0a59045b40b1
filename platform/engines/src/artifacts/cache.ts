import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { startTicksOf } from '../procfs.ts';
import { waitUntil } from '../wait.ts';

/** Folder of everything obtained, shared by all clones of one user. */
export const cacheDir = (env: NodeJS.ProcessEnv = process.env): string =>
  env.PARLEY_CACHE_DIR ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'parley', 'engines');

const lockWaitMs = 15 * 60_000;

const ownerOf = (lock: string): string | undefined => {
  try {
    return readFileSync(join(lock, 'owner'), 'utf8');
  } catch {
    return undefined;
  }
};

const isAlive = (owner: string): boolean => {
  const [pid, ticks] = owner.split(' ').map(Number);
  return pid !== undefined && startTicksOf(pid) === ticks;
};

const moved = (from: string, to: string): boolean => {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false; // somebody was faster
  }
};

/** Takes the lock if it is free or its owner is dead. A lock folder appears whole, owner included, by one rename. */
const tryLock = (lock: string): boolean => {
  const mine = `${lock}.${randomUUID()}`;
  const owner = ownerOf(lock);
  if (owner !== undefined && !isAlive(owner) && moved(lock, mine)) rmSync(mine, { recursive: true });
  mkdirSync(mine, { recursive: true });
  writeFileSync(join(mine, 'owner'), `${process.pid} ${startTicksOf(process.pid) ?? 0}`);
  if (moved(mine, lock)) return true;
  rmSync(mine, { recursive: true });
  return false;
};

/** One thing to put in the cache: `build` fills an empty folder on the same file system. */
export interface CacheEntry {
  readonly root: string;
  readonly name: string;
  readonly build: (folder: string) => Promise<void>;
}

/**
 * The folder of a cache entry, built if it is not there. Whole or absent at any time: it is built aside and renamed into
 * place. The lock only saves double work (a dead owner's is taken over); were two builders to meet, the first rename wins.
 */
export const cached = async ({ root, name, build }: CacheEntry): Promise<string> => {
  const target = join(root, name);
  if (existsSync(target)) return target;
  const lock = join(root, '.locks', name);
  mkdirSync(join(root, '.locks'), { recursive: true });
  if (!(await waitUntil(() => tryLock(lock), lockWaitMs)))
    throw new Error(
      `${name}: somebody else has been obtaining it for ${lockWaitMs / 60_000} minutes (${lock})`,
    );
  const work = join(root, `.building-${name}-${randomUUID()}`);
  try {
    if (existsSync(target)) return target;
    mkdirSync(work, { recursive: true });
    await build(work);
    if (!moved(work, target) && !existsSync(target)) throw new Error(`cannot rename ${work} to ${target}`);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(lock, { recursive: true, force: true });
  }
};
