import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ownOwner } from './plan.ts';

/** Until the launcher is gone the guard is a shell and no more. */
const waitScript = 'cat >/dev/null; exec "$@"';

/**
 * Has the namespaces of this process removed when it ends without having done so, as by SIGKILL: by a process outside of
 * its group that holds the other end of a pipe. Call it before the first namespace is made; what it returns ends the guard.
 */
export const guardNamespaces = async (): Promise<() => void> => {
  const { pid, startTicks } = ownOwner();
  const script = join(import.meta.dirname, 'guard-process.ts');
  const words = [process.execPath, script, JSON.stringify({ pid, startTicks })];
  const guard = spawn('/bin/sh', ['-c', waitScript, 'guard', ...words], {
    detached: true,
    env: { PATH: process.env.PATH }, // by what else is in ours it would be found, and ended, with all that it guards
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(guard, 'spawn');
  guard.stdin.on('error', () => undefined); // somebody ended the guard
  guard.unref();
  return () => {
    guard.kill('SIGKILL');
  };
};
