import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheDir } from '../artifacts/cache.ts';
import { javaEntry } from '../artifacts/pypi.ts';
import type { EngineContext, JavaProgram } from '../engine.ts';
import { tmpDirOf } from '../process.ts';

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

/** Empty, the variables that Java takes flags from. Engines do not see them; what is run beside an engine gets these. */
export const noJavaFlags = { JAVA_TOOL_OPTIONS: '', JDK_JAVA_OPTIONS: '', _JAVA_OPTIONS: '' };

const digest = (parts: readonly unknown[]): string =>
  createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 8);

/** What the names begin with of all that were ever made of such a program with this Java and these flags: no other reads them. */
export const aotCachesOf = ({ cacheEntry, heap, flags: own, classPath }: JavaProgram): string =>
  `aot-${cacheEntry}-${javaEntry}-${digest([heap, ...flags, ...own, ...classPath])}-`;

const builtAtMs = (entry: string): number =>
  statSync(join(cacheDir(), entry), { throwIfNoEntry: false })?.mtimeMs ?? 0;

/**
 * Name in the cache of what the JVM of an engine keeps from one start for the next. It tells from which build of the
 * engine and of Java it was made: the JVM compares the times of their files, refuses any other, and says nothing.
 */
export const aotCacheEntryOf = (program: JavaProgram): string =>
  aotCachesOf(program) + digest([program.cacheEntry, javaEntry].map(builtAtMs));

/** What of an engine's context its JVM depends on. */
type JvmContext = Pick<EngineContext, 'runDir' | 'aotCacheOutput'>;

const aotFlags = (program: JavaProgram, { aotCacheOutput }: JvmContext): string[] => {
  if (aotCacheOutput !== undefined) return [`-XX:AOTCacheOutput=${aotCacheOutput}`];
  const path = join(cacheDir(), aotCacheEntryOf(program), aotCacheFile);
  return existsSync(path) ? [`-XX:AOTCache=${path}`] : [];
};

/** All that comes before the main class. Temporary files stay in the run folder, which a stop empties even after a kill. */
export const jvmOf = (program: JavaProgram, folder: string, context: JvmContext): string[] => [
  `-Xmx${program.heap}`,
  ...flags,
  `-Djava.io.tmpdir=${tmpDirOf(context.runDir, program.name)}`,
  ...aotFlags(program, context),
  ...program.flags,
  '-cp',
  program.classPath.map((jars) => join(folder, jars)).join(delimiter),
];
