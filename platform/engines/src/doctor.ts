import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aotFailureOf } from './aot-cache.ts';
import { cacheDir } from './artifacts/cache.ts';
import { damageIn } from './artifacts/manifest.ts';
import { chromium } from './artifacts/chromium.ts';
import { capturePrerequisites, etcd, fixFor, type Prerequisite } from './artifacts/debian.ts';
import { javaEntry, javaRuntime } from './artifacts/pypi.ts';
import type { JavaProgram } from './engine.ts';
import { meshToolsEntry, meshVersions } from './mesh-tools.ts';
import { engineNamed, type EngineName } from './ports.ts';
import { defaultEngines } from './selection.ts';

/** One prerequisite or engine: whether it is there. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly version?: string;
  /** What is out of the ordinary, in a few words. */
  readonly detail?: string;
  /** The command that brings it, when it is not there. */
  readonly fix?: string;
  /** What alone needs it; a stack starts and runs without. Absent: every stack needs it. */
  readonly optionalFor?: string;
}

const obtainCommand = 'npm run obtain';
const otherCache = 'PARLEY_CACHE_DIR=<a folder of yours> npm run obtain, and the same for what follows';

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
  /** The command that brings it. */
  readonly obtainedBy?: string;
}

const inCache = async ({
  name,
  version,
  cacheEntry,
  java,
  obtainedBy = obtainCommand,
}: Kept): Promise<Check> => {
  const root = cacheDir();
  const folder = join(root, cacheEntry);
  const reason = unreadable(root);
  if (reason !== undefined)
    return { name, ok: false, version, detail: `the cache cannot be read: ${reason}`, fix: otherCache };
  if (!existsSync(folder)) return { name, ok: false, version, detail: 'not obtained yet', fix: obtainedBy };
  const damage = await damageIn(folder, 'contents');
  const failure = java && aotFailureOf(java);
  const slow = failure && `starts slowly, for the reason in ${failure.path}; ${obtainCommand} tries again`;
  const detail = slow === undefined ? {} : { detail: slow };
  return damage === undefined
    ? { name, ok: true, version, ...detail }
    : { name, ok: false, version, detail: `damaged: ${damage}`, fix: obtainedBy };
};

/** What the machine itself has. What only obtaining needs is not called missing once everything is obtained. */
const onMachine = async (what: Prerequisite, isNeeded: boolean): Promise<Check> => {
  const { name } = what;
  const version = await what.version();
  if (version !== undefined) return { name, ok: true, version };
  if (!isNeeded) return { name, ok: true, detail: 'not here, and not needed: all it would obtain is there' };
  return { name, ok: false, fix: fixFor([what]) };
};

const meshTools: Kept = {
  name: 'istio, kubernetes',
  version: `${meshVersions.istio.slice(-12)}, ${meshVersions.kubernetes.slice(1)}`,
  cacheEntry: meshToolsEntry,
  obtainedBy: 'npm run mesh',
};

/** What single capabilities need besides: missing, they alone cannot be used. */
const optional = async (): Promise<Check[]> => {
  const marked = async (optionalFor: string, checks: readonly Promise<Check>[]): Promise<Check[]> =>
    (await Promise.all(checks)).map((check) => ({ ...check, optionalFor }));
  const ofMesh = [etcd, ...capturePrerequisites].map((what) => onMachine(what, true));
  const all = await Promise.all([
    marked("the console's tests and pictures", [onMachine(chromium, true)]),
    marked('the mesh', [...ofMesh, inCache(meshTools)]),
  ]);
  return all.flat();
};

/**
 * What of these engines is there and whole, looking only: nothing is installed, obtained or started. Reads all that was
 * obtained: a second or two. What only single capabilities need comes last, marked `optionalFor`.
 */
export const doctor = async (names: readonly EngineName[] = defaultEngines): Promise<Check[]> => {
  const engines = names.map(engineNamed);
  const java = inCache({ ...javaRuntime, cacheEntry: javaEntry });
  const cachedEngines = engines.flatMap(({ name, version, java: program, cacheEntry }) =>
    cacheEntry === undefined
      ? []
      : [inCache({ name, version, cacheEntry, ...(program && { java: program }) })],
  );
  const obtained = await Promise.all([java, ...cachedEngines]);
  const isAllObtained = obtained.every(({ ok }) => ok);
  const toRun = new Set(engines.flatMap(({ runsWith }) => runsWith));
  const prerequisites = new Set([...engines.flatMap(({ obtainedWith }) => obtainedWith), ...toRun]);
  const machine = await Promise.all(
    [...prerequisites].map((what) => onMachine(what, toRun.has(what) || !isAllObtained)),
  );
  return [...machine, ...obtained, ...(await optional())];
};
