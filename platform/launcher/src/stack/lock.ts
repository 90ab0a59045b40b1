import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { runFiles } from './context.ts';
import { isRunning, startTicksOf } from '@parley/engines/procfs';

const attemptsMax = 5;

const Holder = z.object({ pid: z.int(), startTicks: z.int(), portBase: z.int() });
/** The launcher that runs the stack of a run folder. */
export type Holder = z.infer<typeof Holder>;

/** Who runs the stack in `runDir` now. Undefined when nobody does, also when a launcher was killed and left its file. */
export const holderOf = (runDir: string): Promise<Holder | undefined> => readHolder(runFiles(runDir).lock);

const readHolder = async (path: string): Promise<Holder | undefined> => {
  try {
    const holder = Holder.parse(JSON.parse(await readFile(path, 'utf8')));
    return isRunning(holder.pid, holder.startTicks) ? holder : undefined;
  } catch {
    return undefined;
  }
};

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** Puts a lock file in place with its whole content at once; false when there is one. */
const place = async (lock: string, content: string): Promise<boolean> => {
  const mine = `${lock}.${randomUUID()}`;
  await writeFile(mine, content);
  try {
    await link(mine, lock);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
};

/** Takes a dead launcher's lock away. What was grabbed instead of it, because another one was faster, is put back. */
const removeStale = async (lock: string): Promise<void> => {
  const grabbed = `${lock}.${randomUUID()}`;
  try {
    await rename(lock, grabbed);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readHolder(grabbed)) !== undefined) await link(grabbed, lock).catch(() => undefined);
  await rm(grabbed, { force: true });
};

/**
 * Makes this process the only launcher of the run folder, until the returned function is called.
 * Refuses with exit code 3 when another one runs.
 */
export const acquireLock = async (runDir: string, portBase: number): Promise<() => Promise<void>> => {
  const { lock } = runFiles(runDir);
  await mkdir(runDir, { recursive: true });
  const content = JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) ?? 0, portBase });
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (await place(lock, content))
      return async () => {
        if ((await holderOf(runDir))?.pid === process.pid) await rm(lock, { force: true }); // else another one has taken it
      };
    const holder = await holderOf(runDir);
    if (holder !== undefined)
      throw new CommandError(
        exitCodes.environment,
        `a stack already runs from ${runDir} (launcher pid ${holder.pid}, port base ${holder.portBase}). Stop it with npm run down, or start another with PARLEY_RUN_DIR and PARLEY_PORT_BASE`,
      );
    await removeStale(lock);
  }
  throw new CommandError(exitCodes.environment, `${lock} is contended; try again`);
};
