import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runFiles } from './context.ts';

const PidFile = z.object({ pid: z.int(), supervisorPid: z.int() });
/** `pids/<instance>.json` of a run folder: the instance's process and the one that keeps it running. */
export type PidFile = z.infer<typeof PidFile>;

const pathOf = (runDir: string, instance: string): string => join(runFiles(runDir).pids, `${instance}.json`);

/** Replaces the file as a whole, so that a reader never sees half of it. */
export const writePidFile = (runDir: string, instance: string, content: PidFile): void => {
  const path = pathOf(runDir, instance);
  mkdirSync(runFiles(runDir).pids, { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(content));
  renameSync(`${path}.new`, path);
};

/** The file's content, or undefined when the instance was not started. */
export const readPidFile = (runDir: string, instance: string): PidFile | undefined => {
  try {
    return PidFile.parse(JSON.parse(readFileSync(pathOf(runDir, instance), 'utf8')));
  } catch {
    return undefined;
  }
};

export const removePidFile = (runDir: string, instance: string): void => {
  rmSync(pathOf(runDir, instance), { force: true });
};
