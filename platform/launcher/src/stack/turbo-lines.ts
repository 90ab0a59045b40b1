import type { Output } from '../cli/output.ts';

const levels = ['line', 'good', 'bad', 'dim'] as const;
type Level = (typeof levels)[number];

/** Begins each line of `parley-run` that is for the person at the launcher; the rest of turbo's output is for its log. */
const mark = (level: Level): string => `parley ${level}| `;

/** What `parley-run` says, marked for the launcher at the other end of turbo's output. */
export const markedOutput = (write: (line: string) => void): Output => {
  const at =
    (level: Level) =>
    (text: string): void => {
      write(`${mark(level)}${text}`);
    };
  return { line: at('line'), good: at('good'), bad: at('bad'), dim: at('dim') };
};

/** Splits a stream's text into lines across chunks, and sorts them: what was said with a mark, and everything. */
export const lineSorter = (said: Output, all: (line: string) => void): ((chunk: string) => void) => {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      all(line);
      for (const level of levels) {
        const at = line.indexOf(mark(level));
        if (at >= 0) said[level](line.slice(at + mark(level).length));
      }
    }
  };
};
