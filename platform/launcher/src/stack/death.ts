import type { Output } from '../cli/output.ts';
import { lastLines } from './log-tail.ts';

const linesShown = 8;
const lineLengthMax = 240;

/** Who died how, and what follows. */
export interface Death {
  readonly name: string;
  /** "ended with code 1", "was ended by SIGKILL" */
  readonly death: string;
  /** Undefined when it never came as far as writing one. */
  readonly logPath: string | undefined;
  readonly pauseMs: number;
}

/** Says a death by name, with the last lines of the log and when it is started again. */
export const sayDeath = async (output: Output, { name, death, logPath, pauseMs }: Death): Promise<void> => {
  const lines = logPath === undefined ? [] : await lastLines(logPath, linesShown);
  // Said without a pause, and each line with the name: several may die at once, in processes of their own.
  output.bad(`${name} ${death}; starting again in ${pauseMs / 1000} s`);
  if (logPath === undefined) return;
  output.dim(`  last lines of ${logPath}:`);
  for (const line of lines)
    output.dim(`  ${name} | ${line.length > lineLengthMax ? `${line.slice(0, lineLengthMax)} …` : line}`);
};
