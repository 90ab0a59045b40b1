import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { runFiles } from './context.ts';
import { isRunning, startTicksOf } from './procfs.ts';

const Holder = z.object({ pid: z.int(), startTicks: z.int(), portBase: z.int() });
/** The launcher that runs the stack of a run folder. */
export type Holder = z.infer<typeof Holder>;

/** Who runs the stack in `runDir` now. Undefined when nobody does, also when a launcher was killed and left its file. */
export const holderOf = async (runDir: string): Promise<Holder | undefined> => {
  try {
    const holder = Holder.parse(JSON.parse(await readFile(runFiles(runDir).lock, 'utf8')));
    return isRunning(holder.pid, holder.startTicks) ? holder : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Makes this process the only launcher of the run folder, until the returned function is called.
 * Refuses with exit code 3 when another one runs.
 */
export const acquireLock = async (runDir: string, portBase: number): Promise<() => Promise<void>> => {
  const { lock } = runFiles(runDir);
  await mkdir(runDir, { recursive: true });
  const content = JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) ?? 0, portBase });
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeFile(lock, content, { flag: 'wx' });
      return () => rm(lock, { force: true });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = await holderOf(runDir);
    if (holder !== undefined)
      throw new CommandError(
        exitCodes.environment,
        `a stack already runs from ${runDir} (launcher pid ${holder.pid}, port base ${holder.portBase}). Stop it with npm run down, or start another with PARLEY_RUN_DIR and PARLEY_PORT_BASE`,
      );
    await rm(lock, { force: true });
  }
  throw new CommandError(exitCodes.environment, `${lock} is contended; try again`);
};
