import { statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from '../artifacts/cache.ts';
import { javaEntry } from '../artifacts/pypi.ts';
import type { EngineContext } from '../engine.ts';
import type { EngineName } from '../ports.ts';
import { tmpDirOf } from '../process.ts';

/** One Java engine and how it is to run. */
export interface JavaOptions {
  readonly name: EngineName;
  readonly cacheEntry: string;
  readonly context: EngineContext;
  /** Upper bound, such as `256m`. */
  readonly heap: string;
}

/** Name of the file in its entry. */
export const aotCacheFile = 'engine.aot';

/** Name in the cache of what the JVM of an engine keeps from one start for the next. Another Java cannot read it. */
export const aotCacheEntryOf = (cacheEntry: string): string => `aot-${cacheEntry}-${javaEntry}`;

const builtAtMs = (entry: string): number =>
  statSync(join(cacheDir(), entry), { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN;

/** Whether an engine has one that was made from what is there now: the JVM refuses any other, and starts slowly. */
export const hasAotCache = (cacheEntry: string): boolean => {
  const madeAtMs = builtAtMs(aotCacheEntryOf(cacheEntry));
  return [cacheEntry, javaEntry].every((entry) => builtAtMs(entry) <= madeAtMs);
};

const aotFlags = (cacheEntry: string, { aotCacheOutput }: EngineContext): string[] => {
  if (aotCacheOutput !== undefined) return [`-XX:AOTCacheOutput=${aotCacheOutput}`];
  if (!hasAotCache(cacheEntry)) return [];
  return [`-XX:AOTCache=${join(cacheDir(), aotCacheEntryOf(cacheEntry), aotCacheFile)}`];
};

/**
 * Flags for an engine that shares two cores: the first compiler only, one collector thread, a bounded heap. Its temporary
 * files stay in the run folder, which a stop empties even after a kill; no `hsperfdata` in the system's.
 */
export const smallJava = ({ name, cacheEntry, context, heap }: JavaOptions): string[] => [
  `-Xmx${heap}`,
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '--sun-misc-unsafe-memory-access=allow', // they still use it, and Java 25 warns
  '--enable-native-access=ALL-UNNAMED',
  `-Djava.io.tmpdir=${tmpDirOf(context.runDir, name)}`,
  ...aotFlags(cacheEntry, context),
];
