import { writeFile } from 'node:fs/promises';
import { obtainedBefore } from '@parley/engines';
import { runFiles } from './context.ts';

/** How long a start took, in milliseconds since it was asked for. */
export interface StartTimes {
  /** Until every engine was on this machine. */
  readonly obtainedMs: number;
  /** Until everything was ready. */
  readonly readyMs: number;
}

/** Writes the times of a start into the run folder, with when and how long each engine was obtained on this machine. */
export const writeStartRecord = async (runDir: string, times: StartTimes): Promise<void> => {
  const record = { at: new Date().toISOString(), ...times, engines: obtainedBefore() };
  await writeFile(runFiles(runDir).start, `${JSON.stringify(record, undefined, 2)}\n`);
};
