import { readdirSync, readFileSync } from 'node:fs';

/** Name of the variable that marks every process of a stack, with the absolute path of the run folder as its value. */
export const stackMark = 'PARLEY_SUPERVISED';

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // the process ended between listing and reading, or belongs to somebody else
  }
};

/** Fields of /proc/<pid>/stat from the state on; undefined when the process does not run (a zombie does not). */
const statOf = (pid: number): readonly string[] | undefined => {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold blanks
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields;
};

/** When a process started, in clock ticks since boot: with the pid, its identity for ever. Undefined when it does not run. */
export const startTicksOf = (pid: number): number | undefined => {
  const ticks = statOf(pid)?.[19];
  return ticks === undefined ? undefined : Number(ticks);
};

/** True while the very process runs that had this pid and start time; a reused pid is another process. */
export const isRunning = (pid: number, startTicks: number): boolean => startTicksOf(pid) === startTicks;

/** Every process but this one. */
const others = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);

/** Running processes whose environment has every `NAME=value` given, except this one. Only those this user may read. */
export const processesWith = (entries: readonly string[]): number[] =>
  others().filter((pid) => {
    const environ = read(`/proc/${pid}/environ`)?.split('\0');
    return (
      environ !== undefined &&
      entries.every((entry) => environ.includes(entry)) &&
      startTicksOf(pid) !== undefined
    );
  });

/** A variable by which Parley or the system tells a process where to work. */
const place = /^(?:TMPDIR|PARLEY_\w+)=(.+)/s;

/**
 * Running processes, except this one, that work in `folder`: a variable of ours or TMPDIR names it or something below it.
 * Only those this user may read.
 */
export const processesBelow = (folder: string): number[] =>
  others().filter((pid) => {
    const places = read(`/proc/${pid}/environ`)
      ?.split('\0')
      .map((entry) => place.exec(entry)?.[1]);
    const isBelow = places?.some((path) => path === folder || path?.startsWith(`${folder}/`));
    return isBelow === true && startTicksOf(pid) !== undefined;
  });

/** What a process was started with. */
export interface Started {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Running processes, except this one, that `matches` knows by what they were started with. Only those this user may read. */
export const processesStartedWith = (matches: (started: Started) => boolean): number[] =>
  others().filter((pid) => {
    const args = read(`/proc/${pid}/cmdline`)?.split('\0');
    const environ = read(`/proc/${pid}/environ`)?.split('\0');
    if (args === undefined || environ === undefined) return false;
    const entries = environ.map((entry) => entry.split(/=(.*)/s, 2));
    return (
      matches({ args, env: Object.fromEntries(entries) as NodeJS.ProcessEnv }) &&
      startTicksOf(pid) !== undefined
    );
  });

/** Running processes of a process group. */
export const processesInGroup = (group: number): number[] =>
  others().filter((pid) => statOf(pid)?.[2] === String(group));

/** Resident memory of these processes in bytes, pages that they share counted once (PSS; RSS where it is hidden). */
export const memoryBytesOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => {
    const rollup = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '');
    const status = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '');
    return sum + Number(rollup?.[1] ?? status?.[1] ?? 0) * 1024;
  }, 0);
