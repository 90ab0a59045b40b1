import { statfs } from 'node:fs/promises';
import { startCommand } from '@parley/engines';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { formatBytes } from '../cli/table.ts';

/** Below it a stack is not begun: RabbitMQ takes no message with less than 200 MB free, and all of it writes. */
const freeBytesMin = 400_000_000;

/** What to tell somebody on whose disk a stack would stand still, or undefined when there is room for one. */
export const roomMessage = (runDir: string, freeBytes: number): string | undefined =>
  freeBytes >= freeBytesMin
    ? undefined
    : `${formatBytes(freeBytes)} are free where ${runDir} lies, and a stack needs ${formatBytes(freeBytesMin)}. Make room, or take another run folder: PARLEY_RUN_DIR=<a folder with room> ${startCommand()}`;

/** Refuses with exit code 3 when the disk of the run folder, which is there, is nearly full. */
export const refuseFullDisk = async (runDir: string): Promise<void> => {
  const { bavail, bsize } = await statfs(runDir);
  const message = roomMessage(runDir, bavail * bsize);
  if (message !== undefined) throw new CommandError(exitCodes.environment, message);
};
