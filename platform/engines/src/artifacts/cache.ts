import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, IntegrityError } from '../errors.ts';
import { isRunning, processesBelow, startTicksOf } from '../procfs.ts';
import { signal as signalProcess } from '../signal.ts';
import { typedCommand } from '../typed-command.ts';
import { waitUntil } from '../wait.ts';
import { damageIn, writeManifest, type Depth } from './manifest.ts';
import { type RunControl, withoutPerfData } from './run.ts';

/** Changes with the shape of a cache entry, so that an older clone never meets a newer one's entries. */
const layout = 'engines-3';

/** Folder of everything obtained, shared by all clones of one user. */
export const cacheDir = (env: NodeJS.ProcessEnv = process.env): string =>
  env.PARLEY_CACHE_DIR ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'parley', layout);

/** What the one who obtains decides for everything that is obtained. */
export interface ObtainControl extends RunControl {
  /** How thoroughly an entry that is there is checked; `sizes` by default. */
  readonly depth?: Depth | undefined;
  /**
   * Whether what failed a day ago and can be done without is tried again, which takes minutes. For what has no deadline: not
   * for the set-up of a test.
   */
  readonly triesFailedAgain?: boolean | undefined;
  /** Told what takes long or is out of the ordinary. */
  readonly say?: ((line: string) => void) | undefined;
}

/** Longer than anything takes that does not say `buildMsMax`. */
const defaultBuildMsMax = 15 * 60_000;

const ownerOf = (lock: string): string | undefined => {
  try {
    return readFileSync(join(lock, 'owner'), 'utf8');
  } catch {
    return undefined;
  }
};

const isAlive = (owner: string): boolean => {
  const [pid, ticks] = owner.split(' ').map(Number);
  return pid !== undefined && ticks !== undefined && isRunning(pid, ticks);
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
  if (owner !== undefined && !isAlive(owner) && moved(lock, mine)) {
    // Another process may have removed the dead one's lock since, and this is its own: then it goes back.
    const moving = ownerOf(mine);
    if (moving !== undefined && isAlive(moving) && moved(mine, lock)) return false;
    rmSync(mine, { recursive: true });
  }
  mkdirSync(mine, { recursive: true });
  writeFileSync(join(mine, 'owner'), `${process.pid} ${startTicksOf(process.pid) ?? 0}`);
  if (moved(mine, lock)) return true;
  rmSync(mine, { recursive: true });
  return false;
};

/** One thing to put in the cache. */
export interface CacheEntry extends ObtainControl {
  readonly root: string;
  readonly name: string;
  /** How long a build may take at most, in milliseconds (15 minutes): so long another process waits for it. */
  readonly buildMsMax?: number;
  /** Fills an empty folder on the same file system. Tools run with `control` have their temporary files beside it. */
  readonly build: (folder: string, control: RunControl) => Promise<void>;
}

const buildingPrefix = (name: string): string => `.building-${name}-`;

/** The entry that a folder is to become, or has the temporary files of the tools of; undefined for any other folder. */
const entryBuiltIn = (folder: string): string | undefined =>
  /^\.building-(.+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-tmp)?$/.exec(folder)?.[1];

/** An entry that is there and whole. One that is damaged is said, and for the caller not there. */
const isWhole = async ({ root, name, depth = 'sizes', say }: CacheEntry): Promise<boolean> => {
  const target = join(root, name);
  if (!existsSync(target)) return false;
  const damage = await damageIn(target, depth);
  if (damage !== undefined) say?.(`${name} in the cache is damaged: ${damage}; obtaining it again`);
  return damage === undefined;
};

/** Why the cache folder could not be written, when that is what went wrong; a tool says it once for every file. */
const unwritable = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  if (!('code' in error)) return /No space left on device|Disk quota exceeded/.exec(error.message)?.[0];
  const codes = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST'];
  return codes.includes(String(error.code)) ? error.message : undefined;
};

/** What went wrong, with what to type. What a person cannot mend stays as it is. */
const explained = (error: unknown, { root, name, signal }: CacheEntry): unknown => {
  if (signal?.aborted === true || error instanceof EnvironmentError || error instanceof IntegrityError)
    return error;
  const message = error instanceof Error ? error.message : String(error);
  const reason = unwritable(error);
  return reason !== undefined
    ? new EnvironmentError(
        `${name} cannot be kept in ${root} (all engines need 1.6 GB there): ${reason}`,
        `PARLEY_CACHE_DIR=<a folder with room> ${typedCommand()}`,
        { cause: error },
      )
    : new EnvironmentError(
        `${name} could not be obtained: ${message}`,
        `${typedCommand()} (again, with the network there: it continues with what is missing)`,
        { cause: error },
      );
};

/** What makes pip leave its temporary files in a folder that goes with the build, also after a kill, and Maven none. */
const temporaryIn = (folder: string): Record<string, string> => ({
  TMPDIR: folder,
  ...withoutPerfData(),
});

const locksIn = (root: string): string => join(root, '.locks');

/** Removes what builders of an entry left, and ends what they left running in it; the caller has its lock. */
const removeBuildsOf = (root: string, name: string): void => {
  for (const left of readdirSync(root).filter((file) => entryBuiltIn(file) === name)) {
    const folder = join(root, left);
    for (const pid of processesBelow(folder)) signalProcess(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 }); // one that is dying may still write
  }
};

/** The entries of a folder; none when it is not there or is not ours to look into. */
export const entriesOf = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

/**
 * Removes what builders that were killed left half-built in a cache, temporary files of their tools included. What a
 * living one builds stays, and what this user may not remove. Returns the names of the entries they were of.
 */
export const removeAbandonedBuilds = (root: string = cacheDir()): string[] => {
  const left = entriesOf(root).flatMap((file) => entryBuiltIn(file) ?? []);
  return [...new Set(left)].filter((name) => {
    const lock = join(locksIn(root), name);
    try {
      if (!tryLock(lock)) return false;
      removeBuildsOf(root, name);
      rmSync(lock, { recursive: true, force: true });
      return true;
    } catch {
      return false; // somebody else's cache, which this user may only read
    }
  });
};

/** Builds an entry aside and renames it into place. What builders of it that were killed left is removed: the lock is ours. */
const buildAside = async ({ root, name, build, signal, marks }: CacheEntry): Promise<void> => {
  removeBuildsOf(root, name);
  const target = join(root, name);
  const work = join(root, `${buildingPrefix(name)}${randomUUID()}`);
  const tmp = `${work}-tmp`;
  try {
    for (const folder of [work, tmp]) mkdirSync(folder);
    await build(work, { signal, marks: { ...marks, ...temporaryIn(tmp) } });
    await writeManifest(work);
    rmSync(target, { recursive: true, force: true }); // a damaged one
    if (!moved(work, target)) throw new Error(`cannot rename ${work} to ${target}`);
  } finally {
    for (const folder of [work, tmp]) rmSync(folder, { recursive: true, force: true });
  }
};

const build = async (entry: CacheEntry): Promise<string> => {
  const { root, name, say, signal, buildMsMax = defaultBuildMsMax } = entry;
  const target = join(root, name);
  if (await isWhole(entry)) return target;
  const lock = join(locksIn(root), name);
  try {
    mkdirSync(locksIn(root), { recursive: true });
    if (!tryLock(lock)) {
      say?.(`${name}: another start is obtaining it; waiting for that one`);
      if (!(await waitUntil(() => tryLock(lock), { deadlineMs: buildMsMax, signal })))
        throw new Error(`somebody else has been obtaining it for ${buildMsMax / 60_000} minutes (${lock})`);
    }
    try {
      if (!(await isWhole({ ...entry, say: undefined }))) await buildAside(entry); // said once, above
      return target;
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  } catch (error) {
    throw explained(error, entry);
  }
};

const inFlight = new Map<string, Promise<string>>();

/**
 * The folder of a cache entry, built if it is not there or not whole. It appears by one rename. A lock keeps other
 * processes from building it at the same time (a dead owner's is taken over); inside a process one call does it for all.
 * Throws EnvironmentError with what to type.
 */
export const cached = (entry: CacheEntry): Promise<string> => {
  const target = join(entry.root, entry.name);
  const started = inFlight.get(target) ?? build(entry).finally(() => inFlight.delete(target));
  inFlight.set(target, started);
  return started;
};
