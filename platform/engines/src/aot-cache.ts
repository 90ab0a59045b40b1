/**
 * AOT caches: what the JVM of an engine has loaded, checked and linked in one start, kept for all later ones (JEP 483 and
 * 514). On two cores Kafka, the registry and Zipkin then start in 40 % of the time and 45 % of the processor time.
 */
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheDir, entriesOf, type ObtainControl } from './artifacts/cache.ts';
import { run } from './artifacts/run.ts';
import type { JavaProgram } from './engine.ts';
import { engines } from './engines/index.ts';
import { aotCacheEntryOf, aotCacheFile, aotCachesOf, noJavaFlags } from './engines/java.ts';
import { claimEnginePorts } from './port-claim.ts';
import { type EngineName, type Ports, portsFor } from './ports.ts';
import { type Engine, startEngine, type StartOptions } from './start.ts';
import { orAbort } from './wait.ts';

/** Start, stop and writing: half a minute on two idle cores, a minute and a half on busy ones. */
const deadlineMs = 240_000;
const checkDeadlineMs = 30_000;
const linesInError = 5;
/** In an entry that holds no AOT cache: why it could not be made. It may have been a busy hour, so it expires. */
const failureFile = 'failed.txt';
const failureExpiresMs = 24 * 3_600_000;

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
  const { command, args } = await engines[name].prepare({ runDir, ports, aotCacheOutput });
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
  const start = async (one: EngineName, more: Partial<StartOptions>): Promise<Engine> => {
    signal.throwIfAborted();
    const engine = await startEngine(one, { runDir, ports, ...more });
    running.push(engine);
    await orAbort(engine.ready, signal);
    return engine;
  };
  try {
    for (const needed of engines[name].needs ?? []) await start(needed, {});
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

/** What was made of an engine or a Java that have been obtained again since. */
const removeOutdated = (root: string, program: JavaProgram, current: string): void => {
  for (const entry of entriesOf(root))
    if (entry.startsWith(aotCachesOf(program)) && entry !== current)
      try {
        rmSync(join(root, entry), { recursive: true, force: true });
      } catch {
        // somebody else's, which takes room and no more
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
 * reason is said and kept in its place: the engine starts without one for a day, only more slowly, unless a check of all
 * contents (`depth`) lets it be tried again before. Rejects when aborted.
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
      await runIt(program.name, { runDir: join(folder, 'run'), aotCacheOutput, signal });
    } catch (error) {
      const reason = failed(error);
      for (const left of readdirSync(folder)) rmSync(join(folder, left), { recursive: true, force: true });
      writeFileSync(join(folder, failureFile), reason);
    }
  };
  try {
    const failure = aotFailureOf(program);
    // The clock may have been set back since.
    const isDue = control.depth === 'contents' || Math.abs(failure?.forMs ?? 0) > failureExpiresMs;
    if (failure !== undefined && isDue) rmSync(join(root, entry), { recursive: true, force: true });
    await cached({ ...control, root, name: entry, build });
  } catch (error) {
    failed(error); // the cache cannot be written by this user, for one
    return;
  }
  removeOutdated(root, program, entry);
};
