import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { engineVersions } from '@parley/engines';
import { enginesOf, type StackContext } from './context.ts';

/** Writes what the console cannot ask of a running stack, and answers the path of the file. */
export const writeConsoleConfig = async (context: StackContext): Promise<string> => {
  const folder = join(context.runDir, 'console');
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'config.json');
  await writeFile(path, `${JSON.stringify({ engineVersions: engineVersions(enginesOf(context)) })}\n`);
  return path;
};
