import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runFiles } from './context.ts';

/** How much of each log a start keeps, in bytes: the end of it. */
export const logBytesKept = 2_000_000;

/** Shortens a log to its last whole lines, in place: whoever has it open to append goes on. True when it was longer. */
const shorten = async (path: string): Promise<boolean> => {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  if (size <= logBytesKept) return false;
  const { buffer } = await file.read({ buffer: Buffer.alloc(logBytesKept), position: size - logBytesKept });
  const end = buffer.subarray(buffer.indexOf('\n') + 1);
  await file.write(end, 0, end.length, 0);
  await file.truncate(end.length);
  return true;
};

/**
 * Shortens the logs of earlier starts to `logBytesKept` each, so that a run folder does not grow with the number of
 * starts. Resolves with the names of those that were longer. A log that cannot be written is left: no reason not to start.
 */
export const shortenLogs = async (runDir: string): Promise<string[]> => {
  const { logs } = runFiles(runDir);
  const names = await readdir(logs).catch(() => []);
  const shortened: string[] = [];
  for (const name of names.filter((file) => file.endsWith('.log')).toSorted())
    if (await shorten(join(logs, name)).catch(() => false)) shortened.push(name);
  return shortened;
};
