/** Processor time of processes, from /proc. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Linux' USER_HZ, which /proc/<pid>/stat counts in, is 100 on every platform that Node runs on. */
const MS_PER_TICK = 10;
const UTIME_FIELD = 11; // counted behind the command's name, whose blanks would shift what is before it
const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended
  }
};

const childrenOf = (pid: number): readonly number[] =>
  globSync(`/proc/${String(pid)}/task/*/children`)
    .flatMap((path) => textOf(path).trim().split(/\s+/))
    .filter((text) => text !== '')
    .map(Number);

const withDescendants = (pid: number): readonly number[] => [
  pid,
  ...childrenOf(pid).flatMap((child) => withDescendants(child)),
];

/**
 * Pids of the instances of a stack, as its launcher wrote them down, and of what each has started: RabbitMQ's is a script
 * that waits for its virtual machine. @throws Error when one is not there.
 */
export const pidsOf = (runDir: string, instances: readonly { readonly id: string }[]): readonly number[] =>
  instances.flatMap(({ id }) => {
    const text = readFileSync(join(runDir, 'pids', `${id}.json`), 'utf8');
    return withDescendants((JSON.parse(text) as { readonly pid: number }).pid); // written by the launcher
  });

/** User and system time that the processes have used so far, in milliseconds, together. */
export const processorMs = (pids: readonly number[]): number => {
  let ticks = 0;
  for (const pid of pids) {
    const stat = textOf(`/proc/${String(pid)}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[UTIME_FIELD] ?? 0) + Number(fields[UTIME_FIELD + 1] ?? 0);
  }
  return ticks * MS_PER_TICK;
};
