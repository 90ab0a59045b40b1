import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runFiles } from '../stack/context.ts';

const PidFile = z.looseObject({ pid: z.int().positive() });

const pidOf = (runDir: string, name: string): number =>
  PidFile.parse(JSON.parse(readFileSync(join(runFiles(runDir).pids, `${name}.json`), 'utf8'))).pid;

/** Lets a process, or a group, go on as soon as whoever holds the other end of its standard input is gone, however. */
const guardScript = 'cat >/dev/null; kill -s CONT -- "$0"';

/**
 * Stops a process, or a group of them when negative, wherever it is: connections stay open, and nothing answers. Resolves
 * with what lets it go on. It goes on too when this process ends, also by SIGKILL: a guard outside of its process group
 * waits for that.
 */
export const freeze = async (pid: number): Promise<() => Promise<void>> => {
  const guard = spawn('/bin/sh', ['-c', guardScript, String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(guard, 'spawn');
  guard.stdin.on('error', () => undefined); // somebody ended the guard: then only we let go
  const ended = once(guard, 'exit');
  process.kill(pid, 'SIGSTOP');
  return async () => {
    guard.stdin.end();
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // somebody ended it meanwhile
    }
    await ended;
  };
};

/** Freezes an instance of a service; resolves with what lets it go on. */
export const freezeInstance = (runDir: string, id: string): Promise<() => Promise<void>> =>
  freeze(pidOf(runDir, id));

/** Freezes an engine with all that its start script started: each engine leads a group of its own. */
export const freezeEngine = (runDir: string, name: string): Promise<() => Promise<void>> =>
  freeze(-pidOf(runDir, name));
