/** Processor time of processes, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux' USER_HZ, which /proc/<pid>/stat counts in, is 100 on every platform that Node runs on. */
const MS_PER_TICK = 10;
const UTIME_FIELD = 11; // counted behind the command's name, whose blanks would shift what is before it
const NODE = /\/domains\/([a-z]+)\/src\/main\.ts/;

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended
  }
};

/** Pids of the service processes of one stack, by the run folder in their environment. */
export const servicePids = (runDir: string): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter(
      (pid) =>
        NODE.test(textOf(`/proc/${pid}/cmdline`)) &&
        textOf(`/proc/${pid}/environ`).split('\0').includes(`PARLEY_SUPERVISED=${runDir}`),
    )
    .map(Number);

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
