import { readdirSync, readFileSync } from 'node:fs';

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // the process is gone, or is not ours to look at
  }
};

/** When a process started, in clock ticks since boot: with the pid, the identity of a process. Undefined when it is not running (a zombie is not). */
export const startTicksOf = (pid: number): number | undefined => {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold blanks
  return fields[0] === 'Z' ? undefined : Number(fields[19]);
};

/** True while the very process runs that had this pid and start time; a reused pid is another process. */
export const isRunning = (pid: number, startTicks: number): boolean => startTicksOf(pid) === startTicks;

/** Name of the variable that marks every process of a stack, with the run folder as its value. */
export const marker = 'PARLEY_SUPERVISED';

/** Marks turbo and everything below it, besides the marker of the stack. */
export const servicesMark = { name: 'PARLEY_PART', value: 'services' } as const;

/** Which processes of a stack: all of them, or turbo with the services. */
export type Part = 'all' | 'services';

/** Pids of all processes that belong to the stack in `runDir`, or to a part of it, this process excepted. */
export const supervisedPids = (runDir: string, part: Part = 'all'): number[] => {
  const marks = [
    `${marker}=${runDir}`,
    ...(part === 'all' ? [] : [`${servicesMark.name}=${servicesMark.value}`]),
  ];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      const entries = read(`/proc/${name}/environ`)?.split('\0');
      return entries !== undefined && marks.every((mark) => entries.includes(mark));
    })
    .map(Number);
};

/** Resident memory of these processes in bytes, pages that they share counted once (PSS; RSS where it is hidden). */
export const memoryBytesOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => {
    const rollup = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '');
    const status = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '');
    return sum + Number(rollup?.[1] ?? status?.[1] ?? 0) * 1024;
  }, 0);
