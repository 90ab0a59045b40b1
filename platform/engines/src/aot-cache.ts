/**
 * AOT caches: what the JVM of an engine has loaded, checked and linked in one start, kept for all later ones (JEP 483 and
 * 514). On two cores Kafka, the registry and Zipkin then start in 40 % of the time and 45 % of the processor time.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheDir, type ObtainControl } from './artifacts/cache.ts';
import { engines } from './engines/index.ts';
import { aotCacheEntryOf, aotCacheFile, hasAotCache } from './engines/java.ts';
import { claimEnginePorts } from './port-claim.ts';
import { type EngineName, portsFor } from './ports.ts';
import { type Engine, startEngine, type StartOptions } from './start.ts';
import { orAbort } from './wait.ts';

/** Writing one keeps a core busy for ten seconds. */
const writeDeadlineMs = 120_000;
const linesInError = 5;
const never = new AbortController().signal;

interface RunOnceOptions {
  readonly runDir: string;
  readonly aotCacheOutput: string;
  readonly signal: AbortSignal;
}

/** Runs an engine, with those that it needs, until it is ready, and ends it in order. The folder and what runs go in any case. */
const runOnce = async (
  name: EngineName,
  { runDir, aotCacheOutput, signal }: RunOnceOptions,
): Promise<void> => {
  const claim = await claimEnginePorts();
  const running: Engine[] = [];
  const start = async (one: EngineName, options: Partial<StartOptions>): Promise<Engine> => {
    const engine = await startEngine(one, { runDir, ports: portsFor(claim.base), ...options });
    running.push(engine);
    await orAbort(engine.ready, signal);
    return engine;
  };
  try {
    for (const needed of engines[name].needs ?? []) await start(needed, {});
    const engine = await start(name, { aotCacheOutput });
    await orAbort(engine.stop({ deadlineMs: writeDeadlineMs }), signal);
    if (!existsSync(aotCacheOutput)) throw new Error(engine.lastLines(linesInError).join('\n'));
  } finally {
    await Promise.all(running.map((engine) => engine.stop({ deadlineMs: 0 })));
    await claim.release();
    rmSync(runDir, { recursive: true, force: true });
  }
};

/**
 * Makes the AOT cache of an engine that has none by running it once, on ports and state of its own. Rejects when it
 * cannot; the engine then starts as well, only more slowly.
 */
export const makeAotCache = async (
  name: EngineName,
  cacheEntry: string,
  control: ObtainControl,
): Promise<void> => {
  const root = cacheDir();
  const entry = aotCacheEntryOf(cacheEntry);
  if (!hasAotCache(cacheEntry)) rmSync(join(root, entry), { recursive: true, force: true }); // of an engine that was obtained again
  await cached({
    ...control,
    root,
    name: entry,
    build: (folder, { signal = never }) => {
      control.say?.('running it once, so that it starts faster from now on');
      return runOnce(name, {
        runDir: join(folder, 'run'),
        aotCacheOutput: join(folder, aotCacheFile),
        signal,
      });
    },
  });
};
