import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runFiles } from '../stack/context.ts';

const PidFile = z.looseObject({ pid: z.int().positive() });

const pidOf = (runDir: string, name: string): number =>
  PidFile.parse(JSON.parse(readFileSync(join(runFiles(runDir).pids, `${name}.json`), 'utf8'))).pid;

/** Stops a process, or a group of them when negative, wherever it is: connections stay open, and nothing answers. */
const freeze = (pid: number): (() => Promise<void>) => {
  process.kill(pid, 'SIGSTOP');
  return () => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // somebody ended it meanwhile
    }
    return Promise.resolve();
  };
};

/** Freezes an instance of a service; returns what lets it go on. */
export const freezeInstance = (runDir: string, id: string): (() => Promise<void>) =>
  freeze(pidOf(runDir, id));

/** Freezes an engine with all that its start script started: each engine leads a group of its own. */
export const freezeEngine = (runDir: string, name: string): (() => Promise<void>) =>
  freeze(-pidOf(runDir, name));
