import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { engineNames } from './ports.ts';
import { pidRecordOf, processesOf, tmpDirOf } from './process.ts';
import { isRunning } from './procfs.ts';
import { signal } from './signal.ts';
import { waitUntil } from './wait.ts';

const termWaitMs = 15_000;
const killWaitMs = 5000;

/** The pid of a record if it still is the process that was recorded. */
const recordedPid = (path: string): number | undefined => {
  try {
    const record: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof record !== 'object' || record === null || !('pid' in record) || !('startTicks' in record))
      return undefined;
    const { pid, startTicks } = record;
    return typeof pid === 'number' && typeof startTicks === 'number' && isRunning(pid, startTicks)
      ? pid
      : undefined;
  } catch {
    return undefined; // half written by a process that was killed: the mark in the environment finds what it started
  }
};

const leftovers = (runDir: string): Map<number, string> => {
  const found = new Map<number, string>();
  for (const name of engineNames) {
    const recorded = recordedPid(pidRecordOf(runDir, name));
    for (const pid of [...(recorded === undefined ? [] : [recorded]), ...processesOf(runDir, name)])
      found.set(pid, name);
  }
  return found;
};

/**
 * Ends every engine process of a run folder that an earlier owner left behind, RabbitMQ's epmd included: SIGTERM, SIGKILL
 * after 15 s, and their pid records. Resolves with the names of what it ended; rejects when a process survives.
 */
export const killLeftovers = async (folder: string): Promise<string[]> => {
  const runDir = resolve(folder);
  const found = leftovers(runDir);
  for (const pid of found.keys()) signal(pid, 'SIGTERM');
  const gone = (): boolean => leftovers(runDir).size === 0;
  const killed = (): boolean => {
    for (const pid of leftovers(runDir).keys()) signal(pid, 'SIGKILL');
    return gone();
  };
  if (
    !(await waitUntil(gone, { deadlineMs: termWaitMs })) &&
    !(await waitUntil(killed, { deadlineMs: killWaitMs }))
  )
    throw new Error(`processes of ${runDir} survive SIGKILL: ${[...leftovers(runDir).keys()].join(', ')}`);
  for (const name of engineNames) rmSync(tmpDirOf(runDir, name), { recursive: true, force: true });
  const pids = join(runDir, 'pids');
  const ours = existsSync(pids) ? readdirSync(pids) : [];
  for (const file of ours)
    if (engineNames.some((name) => name === basename(file, '.json')))
      rmSync(join(pids, file), { force: true });
  return [...new Set(found.values())];
};
