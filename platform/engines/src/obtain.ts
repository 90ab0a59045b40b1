import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, type ObtainControl } from './artifacts/cache.ts';
import { makeAotCache } from './aot-cache.ts';
import { type Prerequisite, ensure } from './artifacts/debian.ts';
import { rememberObtained } from './obtained.ts';
import { type EngineName, engineNamed } from './ports.ts';
import { defaultEngines } from './selection.ts';

/** One step of obtaining an engine. */
export interface ObtainProgress {
  readonly name: EngineName | 'prerequisites';
  /** `started`, `downloading`, `going on`, `done`, `cached`, or a few words on what is out of the ordinary. */
  readonly step: string;
  readonly seconds: number;
  /** Of its folder in the cache, when it has one; while it goes on, of what has arrived. */
  readonly sizeBytes?: number;
}

/** What to obtain, the engines of a default stack when it is not said. */
export interface ObtainOptions extends Omit<ObtainControl, 'say'> {
  readonly only?: readonly EngineName[];
  readonly onProgress?: (progress: ObtainProgress) => void;
}

const progressEveryMs = 10_000;

const prerequisitesOf = (names: readonly EngineName[]): Prerequisite[] => {
  const wanted = new Set<Prerequisite>();
  for (const name of names) {
    const { cacheEntry, obtainedWith, runsWith } = engineNamed(name);
    for (const what of runsWith) wanted.add(what);
    if (cacheEntry !== undefined && !existsSync(join(cacheDir(), cacheEntry)))
      for (const what of obtainedWith) wanted.add(what);
  }
  return [...wanted];
};

/** Bytes of all files in a folder; files come and go while it is built. */
const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);

/** Bytes that have arrived of an entry that is being built. */
const arrived = (entry: string): number => {
  const root = cacheDir();
  try {
    const folders = readdirSync(root).filter(
      (name) => name === entry || name.startsWith(`.building-${entry}-`),
    );
    return folders.reduce((sum, name) => sum + sizeOf(join(root, name)), 0);
  } catch {
    return 0; // not begun, or renamed into place at this moment
  }
};

/**
 * Brings engines onto this machine, in parallel; what is there is not obtained again. Throws EnvironmentError when a
 * prerequisite is missing and may not be installed. After a failure or an abort a second call continues with what is missing.
 */
export const obtainAll = async (options: ObtainOptions = {}): Promise<void> => {
  const { only: names = defaultEngines, onProgress, ...control } = options;
  const startedAt = Date.now();
  const sayer =
    (name: ObtainProgress['name']) =>
    (step: string, sizeBytes?: number): void =>
      onProgress?.({
        name,
        step,
        seconds: (Date.now() - startedAt) / 1000,
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
      });
  const sayPrerequisites = sayer('prerequisites');
  const waiting = setInterval(() => {
    sayPrerequisites('going on');
  }, progressEveryMs);
  try {
    await ensure(prerequisitesOf(names), { ...control, say: sayPrerequisites });
  } finally {
    clearInterval(waiting);
  }
  const obtain = async (name: EngineName): Promise<void> => {
    const say = sayer(name);
    const engine = engineNamed(name);
    const entry = engine.cacheEntry;
    if (entry === undefined) {
      await engine.obtain({ ...control, say });
      return;
    }
    const folder = join(cacheDir(), entry);
    const isThere = existsSync(folder);
    if (!isThere) say('started');
    let ofAotCache: string | undefined;
    const sayOfAotCache = (step: string): void => {
      ofAotCache = step;
      say(step);
    };
    const timer = setInterval(() => {
      const sizeBytes = arrived(entry);
      if (ofAotCache !== undefined) say(ofAotCache);
      else if (sizeBytes > 0) say('going on', sizeBytes);
      else say('downloading'); // Maven copies from its own repository when all is there
    }, progressEveryMs);
    try {
      await engine.obtain({ ...control, say });
      const { java } = engine;
      if (java !== undefined) await makeAotCache(java, { ...control, say: sayOfAotCache });
    } finally {
      clearInterval(timer);
    }
    const sizeBytes = sizeOf(folder);
    say(isThere ? 'cached' : 'done', sizeBytes);
    const seconds = (Date.now() - startedAt) / 1000;
    if (!isThere) rememberObtained({ name, seconds, sizeBytes, at: new Date().toISOString() });
  };
  const results = await Promise.allSettled(names.map(obtain));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
};
