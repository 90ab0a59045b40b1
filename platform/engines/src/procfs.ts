import { readdirSync, readFileSync } from 'node:fs';

const clean = (read: () => string): string | undefined => {
  try {
    return read();
  } catch {
    return undefined; // the process ended between listing and reading, or belongs to somebody else
  }
};

/** Start time of a process in clock ticks since boot, undefined when it is gone or a zombie. With the pid it names a process for ever. */
export const startTicksOf = (pid: number): number | undefined => {
  const stat = clean(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
};

/** Resident memory in bytes, 0 when the process is gone. */
export const residentBytesOf = (pid: number): number => {
  const status = clean(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status ?? '')?.[1] ?? 0) * 1024;
};

/** Living processes whose environment has every `NAME=value` given, except this one. Only those this user may read. */
export const processesWith = (entries: readonly string[]): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      const environ = clean(() => readFileSync(`/proc/${pid}/environ`, 'utf8'))?.split('\0');
      return (
        environ !== undefined &&
        entries.every((entry) => environ.includes(entry)) &&
        startTicksOf(pid) !== undefined
      );
    });
