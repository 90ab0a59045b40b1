import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aotFailureOf } from './aot-cache.ts';
import { cacheDir } from './artifacts/cache.ts';
import { damageIn } from './artifacts/manifest.ts';
import { fixFor, type Prerequisite, versionOf } from './artifacts/debian.ts';
import { javaEntry, javaRuntime } from './artifacts/pypi.ts';
import type { JavaProgram } from './engine.ts';
import { engines } from './engines/index.ts';
import { engineNames } from './ports.ts';

/** One prerequisite or engine: whether it is there. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly version?: string;
  /** What is out of the ordinary, in a few words. */
  readonly detail?: string;
  /** The command that brings it, when it is not there. */
  readonly fix?: string;
}

const obtainCommand = 'npm run obtain';
const otherCache = 'PARLEY_CACHE_DIR=<a folder of yours> npm run obtain, and the same for what follows';
const prerequisites: readonly Prerequisite[] = ['python3', 'pip', 'maven', 'rabbitmq'];

/** Why nothing can be said of what the cache holds; undefined when it can be read, or is not there yet. */
const unreadable = (folder: string): string | undefined => {
  try {
    readdirSync(folder);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error) || ('code' in error && error.code === 'ENOENT')) return undefined;
    return error.message;
  }
};

/** What is kept in the cache: an engine, or the Java of them all. */
interface Kept {
  readonly name: string;
  readonly version: string;
  readonly cacheEntry: string;
  readonly java?: JavaProgram;
}

const inCache = async ({ name, version, cacheEntry, java }: Kept): Promise<Check> => {
  const root = cacheDir();
  const folder = join(root, cacheEntry);
  const reason = unreadable(root);
  if (reason !== undefined)
    return { name, ok: false, version, detail: `the cache cannot be read: ${reason}`, fix: otherCache };
  if (!existsSync(folder))
    return { name, ok: false, version, detail: 'not obtained yet', fix: obtainCommand };
  const damage = await damageIn(folder, 'contents');
  const failure = java && aotFailureOf(java);
  const slow = failure && `starts slowly, for the reason in ${failure.path}; ${obtainCommand} tries again`;
  const detail = slow === undefined ? {} : { detail: slow };
  return damage === undefined
    ? { name, ok: true, version, ...detail }
    : { name, ok: false, version, detail: `damaged: ${damage}`, fix: obtainCommand };
};

/** What the machine itself has. What only obtaining needs is not called missing once everything is obtained. */
const onMachine = async (name: Prerequisite, isAllObtained: boolean): Promise<Check> => {
  const version = await versionOf(name);
  if (version !== undefined) return { name, ok: true, version };
  if (isAllObtained && name !== 'rabbitmq')
    return { name, ok: true, detail: 'not here, and not needed: all it would obtain is there' };
  return { name, ok: false, fix: fixFor([name]) };
};

/** What is there and whole, looking only: nothing is installed, obtained or started. Reads all that was obtained: a second or two. */
export const doctor = async (): Promise<Check[]> => {
  const java = inCache({ ...javaRuntime, cacheEntry: javaEntry });
  const cachedEngines = engineNames.flatMap((name) => {
    const { cacheEntry, ...engine } = engines[name];
    return cacheEntry === undefined ? [] : [inCache({ ...engine, cacheEntry })];
  });
  const obtained = await Promise.all([java, ...cachedEngines]);
  const isAllObtained = obtained.every(({ ok }) => ok);
  const machine = await Promise.all(prerequisites.map((name) => onMachine(name, isAllObtained)));
  return [...machine, ...obtained];
};
