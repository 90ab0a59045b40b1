import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@parley/contracts/endpoints';
import { z } from 'zod';
import { runFiles } from './context.ts';

const PidFile = z.object({ pid: z.int(), supervisorPid: z.int() });
/** `pids/<service>.json` of a run folder: the service's process and the one that keeps it running. */
export type PidFile = z.infer<typeof PidFile>;

const pathOf = (runDir: string, service: ServiceName): string =>
  join(runFiles(runDir).pids, `${service}.json`);

/** Replaces the file as a whole, so that a reader never sees half of it. */
export const writePidFile = (runDir: string, service: ServiceName, content: PidFile): void => {
  const path = pathOf(runDir, service);
  mkdirSync(runFiles(runDir).pids, { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(content));
  renameSync(`${path}.new`, path);
};

/** The file's content, or undefined when the service was not started. */
export const readPidFile = (runDir: string, service: ServiceName): PidFile | undefined => {
  try {
    return PidFile.parse(JSON.parse(readFileSync(pathOf(runDir, service), 'utf8')));
  } catch {
    return undefined;
  }
};

export const removePidFile = (runDir: string, service: ServiceName): void => {
  rmSync(pathOf(runDir, service), { force: true });
};
