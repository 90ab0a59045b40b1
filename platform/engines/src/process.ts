import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Command } from './engine.ts';
import { processesWith, stackMark, startTicksOf } from './procfs.ts';
import { signal } from './signal.ts';
import { waitUntil } from './wait.ts';

const linesKeptMax = 200;
const killWaitMs = 5000;

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process in a process group of its own, its output in `<runDir>/logs/<name>.log`. */
export interface Supervised {
  readonly pid: number;
  /** Never rejects. */
  readonly exited: Promise<Exit>;
  lastLines(count: number): string[];
}

/** Marks in the environment of every process of an engine, its descendants included: how leftovers are found. */
export const marksOf = (runDir: string, name: string): Record<string, string> => ({
  [stackMark]: runDir,
  PARLEY_ENGINE: name,
});

/** Where the temporary files of an engine lie while it runs; emptied before a start and after a stop. */
export const tmpDirOf = (runDir: string, name: string): string => join(runDir, 'tmp', name);

const inherited = ['PATH', 'TZ', 'HOME'];
/** Java and Erlang read the names of folders by the locale, and without one nothing but ASCII. */
export const textAsUtf8 = { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' };

/** What an engine sees of our environment: nothing that could configure it by accident, such as a proxy. */
const baseEnv = (): Record<string, string> => ({
  ...textAsUtf8,
  ...Object.fromEntries(
    inherited.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  ),
});

/** Path of the record of a process: pid and start time, which together name it for ever. */
export const pidRecordOf = (runDir: string, name: string): string => join(runDir, 'pids', `${name}.json`);

/** What to supervise. */
export interface SuperviseOptions extends Command {
  readonly name: string;
  readonly runDir: string;
  readonly onLine?: (line: string) => void;
}

/** Starts a process. Rejects when it cannot be started at all. */
export const supervise = async (options: SuperviseOptions): Promise<Supervised> => {
  const { name, runDir, command, args, cwd, onLine } = options;
  mkdirSync(join(runDir, 'logs'), { recursive: true });
  mkdirSync(join(runDir, 'pids'), { recursive: true });
  const log = createWriteStream(join(runDir, 'logs', `${name}.log`), { flags: 'a' });
  log.on('error', () => undefined); // a full disk must not take the stack down; the last lines are kept in memory
  const env = { ...baseEnv(), TMPDIR: tmpDirOf(runDir, name), ...options.env, ...marksOf(runDir, name) };
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const kept: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      kept.push(line);
      if (kept.length > linesKeptMax) kept.shift();
      log.write(`${line}\n`);
      onLine?.(line);
    });
  const exited = new Promise<Exit>((resolve) => {
    child.on('exit', (code, signal) => {
      rmSync(pidRecordOf(runDir, name), { force: true });
      resolve({ code, signal });
    });
    child.on('close', () => log.end());
  });
  const pid = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('spawn', () => {
      resolve(child.pid ?? 0);
    });
  });
  writeFileSync(pidRecordOf(runDir, name), JSON.stringify({ pid, startTicks: startTicksOf(pid) }));
  return { pid, exited, lastLines: (count) => kept.slice(-count) };
};

/** Processes of one engine that live now. */
export const processesOf = (runDir: string, name: string): number[] =>
  processesWith(Object.entries(marksOf(runDir, name)).map(([key, value]) => `${key}=${value}`));

/** Kills what is left of one engine; true when nothing is. */
export const killAllOf = async (runDir: string, name: string): Promise<boolean> =>
  waitUntil(
    () => {
      const pids = processesOf(runDir, name);
      for (const pid of pids) signal(pid, 'SIGKILL');
      return pids.length === 0;
    },
    { deadlineMs: killWaitMs },
  );
