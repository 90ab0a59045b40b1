import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
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

/** For an engine that shares two cores: the first compiler only, one collector thread; no `hsperfdata`. */
const flags = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '--sun-misc-unsafe-memory-access=allow', // they still use it, and Java 25 warns
  '--enable-native-access=ALL-UNNAMED',
  // Java 25 mixes up adapters of like names in an AOT cache, and warns at each of them that it makes it anew.
  '-XX:+UnlockDiagnosticVMOptions',
  '-XX:-AOTAdapterCaching',
  '-XX:-AOTStubCaching',
] as const;

/** To be raised with any change of the class path or the flags of one engine alone: an older file would be refused. */
const generation = 1;

const digest = (parts: readonly unknown[]): string =>
  createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 8);

/** What the names begin with of all that were ever made of an engine with this Java and these flags: no other reads them. */
export const aotCachesOf = (cacheEntry: string): string =>
  `aot-${cacheEntry}-${javaEntry}-${digest([generation, ...flags])}-`;

const builtAtMs = (entry: string): number =>
  statSync(join(cacheDir(), entry), { throwIfNoEntry: false })?.mtimeMs ?? 0;

/**
 * Name in the cache of what the JVM of an engine keeps from one start for the next. It tells from which build of the
 * engine and of Java it was made: the JVM compares the times of their files, refuses any other, and says nothing.
 */
export const aotCacheEntryOf = (cacheEntry: string): string =>
  aotCachesOf(cacheEntry) + digest([cacheEntry, javaEntry].map(builtAtMs));

const aotFlags = (cacheEntry: string, { aotCacheOutput }: EngineContext): string[] => {
  if (aotCacheOutput !== undefined) return [`-XX:AOTCacheOutput=${aotCacheOutput}`];
  const path = join(cacheDir(), aotCacheEntryOf(cacheEntry), aotCacheFile);
  return existsSync(path) ? [`-XX:AOTCache=${path}`] : [];
};

/** Flags for an engine. Its temporary files stay in the run folder, which a stop empties even after a kill. */
export const smallJava = ({ name, cacheEntry, context, heap }: JavaOptions): string[] => [
  `-Xmx${heap}`,
  ...flags,
  `-Djava.io.tmpdir=${tmpDirOf(context.runDir, name)}`,
  ...aotFlags(cacheEntry, context),
];
