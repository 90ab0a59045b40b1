import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { EngineContext } from './engine.ts';
import { EngineError } from './errors.ts';
import { engineNamed, type EngineName, type Ports } from './ports.ts';
import { type Exit, killAllOf, processesOf, supervise, tmpDirOf } from './process.ts';
import { memoryBytesOf } from './procfs.ts';
import { signal } from './signal.ts';
import { orAbort, waitUntil } from './wait.ts';

const stopDeadlineMs = 15_000;
const linesInError = 20;
const readyPollMs = 50;

/** What to start an engine with. */
export interface StartOptions extends EngineContext {
  readonly ports: Ports;
  readonly onLine?: (line: string) => void;
}

/** An engine that was started. */
export interface Engine {
  readonly name: EngineName;
  readonly pid: number;
  /** Resolves when it answers; rejects with an EngineError when it ends or passes its deadline before. */
  readonly ready: Promise<void>;
  /** How it ended, by itself or by `stop`. Never rejects. */
  readonly exited: Promise<Exit>;
  /** SIGTERM, then SIGKILL after `deadlineMs` (15 s); resolves when none of its processes lives. May be called again. */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>;
  /** Its last lines of output, at most 200. */
  lastLines(count: number): string[];
  /** Memory of all its processes; pages they share are counted once. */
  residentBytes(): number;
}

const emptyTmpDir = (runDir: string, name: EngineName): void => {
  rmSync(tmpDirOf(runDir, name), { recursive: true, force: true });
  mkdirSync(tmpDirOf(runDir, name), { recursive: true });
};

/** Starts an engine, obtaining it when it is not there. `ready` tells when it can be used. */
export const startEngine = async (name: EngineName, options: StartOptions): Promise<Engine> => {
  const engine = engineNamed(name);
  const context: EngineContext = { ...options, runDir: resolve(options.runDir) };
  const { runDir } = context;
  // The process that was started may have died alone: RabbitMQ's start script, for one, is not the node itself.
  if (!(await killAllOf(runDir, name))) throw new EngineError(`${name}: an earlier process survives SIGKILL`);
  emptyTmpDir(runDir, name);
  const command = await engine.prepare(context);
  const onLine = options.onLine === undefined ? {} : { onLine: options.onLine };
  const child = await supervise({ ...command, ...onLine, name, runDir });
  const state = { hasExited: false };
  const exited = child.exited.then((exit) => {
    state.hasExited = true;
    return exit;
  });
  const waitReady = async (): Promise<void> => {
    const seen = { answered: false };
    const ask = async (): Promise<boolean> => {
      if (state.hasExited) return true;
      seen.answered = await engine.isReady(context);
      return seen.answered;
    };
    await waitUntil(ask, { deadlineMs: engine.readyDeadlineMs, intervalMs: readyPollMs });
    if (seen.answered && !state.hasExited) return;
    const what = state.hasExited
      ? 'ended before it was ready'
      : `was not ready within ${engine.readyDeadlineMs} ms`;
    throw new EngineError(`${name} ${what}:\n${child.lastLines(linesInError).join('\n')}`);
  };
  const ready = waitReady();
  ready.catch(() => undefined); // the caller may never ask; it is told when it does
  const stop = async ({ deadlineMs = stopDeadlineMs } = {}): Promise<void> => {
    if (!state.hasExited) signal(engine.mainPid?.(context) ?? child.pid, 'SIGTERM');
    await waitUntil(() => state.hasExited, { deadlineMs, intervalMs: readyPollMs });
    await engine.afterStop?.(context);
    if (!(await killAllOf(runDir, name))) throw new EngineError(`${name}: a process survives SIGKILL`);
    await exited;
    rmSync(tmpDirOf(runDir, name), { recursive: true, force: true });
  };
  return {
    name,
    pid: child.pid,
    ready,
    exited,
    stop,
    lastLines: (count) => child.lastLines(count),
    residentBytes: () => memoryBytesOf(processesOf(runDir, name)),
  };
};

/**
 * Starts an engine and resolves when it is ready. One that ends by itself before that is started once more: Apicurio, for
 * one, does when a busy Kafka does not know yet the topics that Apicurio made a moment ago. On failure, an abort of `signal`
 * included, none of its processes stays.
 */
export const startReady = async (
  name: EngineName,
  options: StartOptions,
  {
    signal: abort,
    endedEarly,
  }: { readonly signal?: AbortSignal; readonly endedEarly?: (error: Error) => void } = {},
): Promise<Engine> => {
  for (let again = false; ; again = true) {
    const engine = await startEngine(name, options);
    const seen = { ended: false };
    void engine.exited.then(() => (seen.ended = true));
    try {
      await (abort === undefined ? engine.ready : orAbort(engine.ready, abort));
      return engine;
    } catch (error) {
      const endedByItself = seen.ended;
      await engine.stop();
      if (again || !endedByItself || abort?.aborted === true || !(error instanceof Error)) throw error;
      endedEarly?.(error);
    }
  }
};
