import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runFiles } from './context.ts';
import { oneOfEach, Scale } from './scale.ts';

/** The scale that the stack in the run folder shall have; one of each where none was asked for. */
export const readScale = (runDir: string): Scale => {
  try {
    return Scale.parse(JSON.parse(readFileSync(runFiles(runDir).scale, 'utf8')));
  } catch {
    return oneOfEach; // no file, or one that somebody edited: a stack of the usual size
  }
};

/** Replaces the file as a whole: who looks at it sees the old scale or the new one. */
export const writeScale = async (runDir: string, scale: Scale): Promise<void> => {
  const path = runFiles(runDir).scale;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(scale)}\n`);
  await rename(`${path}.new`, path);
};

const lookEveryMs = 250;

/** Calls `changed` whenever the scale in the run folder is another one than before. The returned function ends the watch. */
export const watchScale = (runDir: string, before: Scale, changed: (scale: Scale) => void): (() => void) => {
  let known = JSON.stringify(before);
  const timer = setInterval(() => {
    const scale = readScale(runDir);
    const text = JSON.stringify(scale);
    if (text === known) return;
    known = text;
    changed(scale);
  }, lookEveryMs);
  return () => {
    clearInterval(timer);
  };
};
