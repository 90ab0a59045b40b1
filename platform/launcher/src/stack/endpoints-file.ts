import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Endpoints } from '@parley/contracts/endpoints';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { removeTargets, writeTargets } from '../metrics/targets.ts';
import { runFiles } from './context.ts';
import { holderOf } from './lock.ts';

/** The file's content. */
export const endpointsText = (endpoints: Endpoints): string =>
  `${JSON.stringify(Endpoints.parse(endpoints), undefined, 2)}\n`;

/**
 * Publishes where the stack is, to Prometheus too, as a whole: a reader sees the old file or the new one, never half of
 * it.
 */
export const writeEndpoints = async (runDir: string, endpoints: Endpoints): Promise<void> => {
  await writeTargets(runDir, endpoints);
  const path = runFiles(runDir).endpoints;
  await writeFile(`${path}.new`, endpointsText(endpoints));
  await rename(`${path}.new`, path);
};

export const removeEndpoints = async (runDir: string): Promise<void> => {
  await rm(runFiles(runDir).endpoints, { force: true });
  await removeTargets(runDir);
};

/** Where the running stack of the run folder is; exit code 3 with what to type when none is ready. */
export const readEndpoints = async (runDir: string): Promise<Endpoints> => {
  const holder = await holderOf(runDir);
  if (holder === undefined)
    throw new CommandError(exitCodes.environment, 'no stack is running. Start one with npm run dev');
  try {
    return Endpoints.parse(JSON.parse(await readFile(runFiles(runDir).endpoints, 'utf8')));
  } catch (error) {
    throw new CommandError(
      exitCodes.environment,
      `the stack (launcher pid ${holder.pid}) is not ready yet. Try again when npm run dev has printed its table`,
      error,
    );
  }
};
