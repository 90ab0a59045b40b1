import { fstatSync, readFileSync, readSync } from 'node:fs';

const chunkBytes = 64 * 1024;
/** What was read last, by which the place is found again: longer than a line of the launcher. */
const rememberedBytes = 1024;

/**
 * Follows an open log from its present end: each call of the returned function shows what was written since the last. A
 * log that was shortened to its end meanwhile is followed from where it was, and from its start when that is cut off.
 */
export const followLog = (log: number, show: (bytes: Buffer) => void): (() => void) => {
  const buffer = Buffer.alloc(chunkBytes);
  let at = fstatSync(log).size; // earlier starts wrote there too
  const before = (length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(log, bytes, 0, length, at - length));
  };
  let last = before(Math.min(at, rememberedBytes));
  const findAgain = (path: string): number => {
    const found = readFileSync(path).lastIndexOf(last);
    return found < 0 ? 0 : found + last.length;
  };
  return () => {
    if (!before(last.length).equals(last)) at = findAgain(`/proc/self/fd/${log}`);
    for (;;) {
      const length = readSync(log, buffer, 0, buffer.length, at);
      if (length === 0) return;
      const bytes = buffer.subarray(0, length);
      show(bytes);
      at += length;
      last = Buffer.concat([last, bytes]).subarray(-rememberedBytes);
    }
  };
};
