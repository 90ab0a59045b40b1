/**
 * AOT caches: what the JVM of an engine has loaded, checked and linked in one start, kept for all later ones (JEP 483 and
 * 514). On two cores Kafka, the registry and Zipkin then start in 40 % of the time and 45 % of the processor time.
 */
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheDir, entriesOf, type ObtainControl } from './artifacts/cache.ts';
import { run } from './artifacts/run.ts';
import type { JavaProgram } from './engine.ts';
import { aotCacheEntryOf, aotCacheFile, aotCachesOf, noJavaFlags } from './engines/java.ts';
import { claimEnginePorts } from './port-claim.ts';
import { engineNamed, type EngineName, type Ports, portsFor } from './ports.ts';
import { withNeeds } from './selection.ts';
import { type Engine, startEngine, type StartOptions } from './start.ts';
import { orAbort } from './wait.ts';

/** Start, stop and writing: half a minute on two idle cores, a minute and a half on busy ones. */
const deadlineMs = 240_000;
const checkDeadlineMs = 30_000;
const linesInError = 5;
/** In an entry that holds no AOT cache: why it could not be made. It may have been a busy hour, so it expires. */
const failureFile = 'failed.txt';
const failureExpiresMs = 24 * 3_600_000;
const unusedExpiresMs = 30 * 24 * 3_600_000;

/** Where to run an engine, and where its AOT cache is to be. */
export interface RunOnceOptions {
  readonly runDir: string;
  readonly aotCacheOutput: string;
  readonly signal: AbortSignal;
}

/** Rejects when the JVM does not take the file: damaged, or cut short by a kill. It only says so when it is to insist. */
const assertUsable = async (
  name: EngineName,
  { runDir, aotCacheOutput, signal }: RunOnceOptions,
  ports: Ports,
): Promise<void> => {
  const { command, args } = await engineNamed(name).prepare({ runDir, ports, aotCacheOutput });
  const flags = args.slice(0, args.indexOf('-cp') + 2).filter((flag) => !flag.includes('AOTCacheOutput'));
  const insisting = [`-XX:AOTCache=${aotCacheOutput}`, '-XX:AOTMode=on', '-version'];
  await run(command, [...flags, ...insisting], {
    deadlineMs: checkDeadlineMs,
    signal,
    marks: noJavaFlags,
  });
};

/** Runs an engine, with those that it needs, until it is ready, and ends it in order. The folder and what runs go in any case. */
const runOnce = async (name: EngineName, options: RunOnceOptions): Promise<void> => {
  const { runDir, aotCacheOutput, signal } = options;
  const claim = await claimEnginePorts();
  const ports = portsFor(claim.base);
  const running: Engine[] = [];
  const engines = withNeeds([name]); // one broker, where a stack may have more
  const start = async (one: EngineName, more: Partial<StartOptions>): Promise<Engine> => {
    signal.throwIfAborted();
    const engine = await startEngine(one, { runDir, ports, engines, ...more });
    running.push(engine);
    await orAbort(engine.ready, signal);
    return engine;
  };
  try {
    for (const needed of engines.filter((one) => one !== name)) await start(needed, {});
    const engine = await start(name, { aotCacheOutput });
    await orAbort(engine.stop({ deadlineMs }), signal); // it writes the file when it ends
    if (!existsSync(aotCacheOutput)) throw new Error(engine.lastLines(linesInError).join('\n'));
    await assertUsable(name, options, ports);
  } finally {
    await Promise.allSettled(running.map((engine) => engine.stop({ deadlineMs: 0 })));
    await claim.release();
    rmSync(runDir, { recursive: true, force: true });
  }
};

/** When a start noted that it uses it, or, where the disk keeps that, when somebody read it who may not or does not note it. */
const lastUsedAtMs = (folder: string): number => {
  const file = statSync(join(folder, aotCacheFile), { throwIfNoEntry: false });
  return Math.max(statSync(folder).mtimeMs, file?.atimeMs ?? 0);
};

/**
 * Removes what was made of an engine or a Java that have been obtained again since, and what was made of the engine in
 * another version, for another Java or with other flags and was not used for long: another clone that still starts from
 * it makes it again.
 */
const removeOutdated = (root: string, program: JavaProgram, current: string): void => {
  const isOutdated = (entry: string): boolean => {
    if (entry === current || !entry.startsWith(`aot-${program.name}-`)) return false;
    return (
      entry.startsWith(aotCachesOf(program)) || lastUsedAtMs(join(root, entry)) < Date.now() - unusedExpiresMs
    );
  };
  for (const entry of entriesOf(root))
    try {
      if (isOutdated(entry)) rmSync(join(root, entry), { recursive: true, force: true });
    } catch {
      // somebody else's, which takes room and no more
    }
};

/** Notes that it is used now, in the time of its folder. */
const touch = (root: string, entry: string): void => {
  try {
    const nowS = Date.now() / 1000;
    utimesSync(join(root, entry), nowS, nowS);
  } catch {
    // not made yet, or somebody else's
  }
};

/**
 * Where it is written why an engine has no AOT cache although one was tried, and for how long that is so; undefined when
 * it is not, or when that cannot be seen.
 */
export const aotFailureOf = (
  program: JavaProgram,
): { readonly path: string; readonly forMs: number } | undefined => {
  try {
    const path = join(cacheDir(), aotCacheEntryOf(program), failureFile);
    return { path, forMs: Date.now() - statSync(path).mtimeMs };
  } catch {
    return undefined; // there is none, as a rule; or it is somebody else's, or goes at this moment
  }
};

/**
 * Makes the AOT cache of an engine that has none by running it once, on ports and state of its own. When that fails, the
 * reason is said and kept in its place: the engine starts without one, only more slowly, until a start that may take its
 * time (`triesFailedAgain`) tries it again after a day, or a check of all contents (`depth`) before. Rejects when aborted.
 */
export const makeAotCache = async (
  program: JavaProgram,
  control: ObtainControl,
  runIt = runOnce,
): Promise<void> => {
  control.signal?.throwIfAborted(); // what comes before it reads for seconds and does not ask
  const root = cacheDir();
  const entry = aotCacheEntryOf(program);
  const failed = (error: unknown): string => {
    control.signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    control.say?.(`it will start slowly, for its AOT cache could not be made: ${reason}`);
    return reason;
  };
  const build = async (folder: string): Promise<void> => {
    control.say?.('running it once, so that it starts faster from now on');
    const aotCacheOutput = join(folder, aotCacheFile);
    const signal = AbortSignal.any([
      AbortSignal.timeout(deadlineMs),
      ...(control.signal ? [control.signal] : []),
    ]);
    try {
      await runIt(engineNamed(program.name).name, { runDir: join(folder, 'run'), aotCacheOutput, signal });
    } catch (error) {
      const reason = failed(error);
      for (const left of readdirSync(folder)) rmSync(join(folder, left), { recursive: true, force: true });
      writeFileSync(join(folder, failureFile), reason);
    }
  };
  try {
    const failure = aotFailureOf(program);
    const hasExpired = failure !== undefined && Math.abs(failure.forMs) > failureExpiresMs; // a clock may be set back
    const isTried = control.depth === 'contents' || (control.triesFailedAgain === true && hasExpired);
    if (failure !== undefined && isTried) rmSync(join(root, entry), { recursive: true, force: true });
    touch(root, entry); // before it is looked at, so that nobody removes it in between
    await cached({ ...control, root, name: entry, build });
  } catch (error) {
    failed(error); // the cache cannot be written by this user, for one
    return;
  }
  // Else the engine or Java was obtained again meanwhile, and what would be taken for outdated is what was made for the new one.
  if (aotCacheEntryOf(program) === entry) removeOutdated(root, program, entry);
};
