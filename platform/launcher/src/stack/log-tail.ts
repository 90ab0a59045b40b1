import { open } from 'node:fs/promises';

const bytesMax = 8192;

/** The last lines of a log file, oldest first; none when there is no such file. Reads a bounded piece of its end. */
export const lastLines = async (path: string, count: number): Promise<string[]> => {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const length = Math.min(size, bytesMax);
    const { buffer } = await file.read({ buffer: Buffer.alloc(length), position: size - length });
    return buffer
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .slice(-count);
  } catch {
    return [];
  }
};
