import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Endpoints } from '@parley/contracts/endpoints';

/** Where the stack is now; undefined while it starts, stops or is away. Read anew each time: instances come and go. */
export const readEndpoints = async (runDir: string): Promise<Endpoints | undefined> => {
  try {
    return Endpoints.parse(JSON.parse(await readFile(join(runDir, 'endpoints.json'), 'utf8')));
  } catch {
    return undefined;
  }
};
