import type { Sink } from '../cli/context.ts';

/** Where a command says things: results on stdout, progress on stderr. */
export interface Output {
  /** True for people: tables and bars. False: JSON only. */
  readonly human: boolean;
  print(text: string): void;
  /** One JSON document on one line. */
  json(value: unknown): void;
  /** Rewrites one line of the terminal; nothing without a terminal. An empty text removes it. */
  progress(text: string): void;
}

const REDRAW_MS = 100;

/** `--json`, or no terminal where `jsonWithoutTerminal` says so: JSON. */
export function outputOf(options: {
  readonly json: boolean;
  readonly jsonWithoutTerminal?: boolean;
  readonly stdout: Sink;
  readonly stderr: Sink;
}): Output {
  const { stdout, stderr } = options;
  const human = !options.json && !(options.jsonWithoutTerminal === true && stdout.isTTY !== true);
  const bars = human && stderr.isTTY === true;
  let drawnAtMs = 0;
  return {
    human,
    print: (text) => {
      stdout.write(`${text}\n`);
    },
    json: (value) => {
      stdout.write(`${JSON.stringify(value)}\n`);
    },
    progress: (text) => {
      const nowMs = performance.now();
      if (!bars || (text !== '' && nowMs - drawnAtMs < REDRAW_MS)) return;
      drawnAtMs = nowMs;
      stderr.write(`\r\u001b[K${text}`);
    },
  };
}

const BAR_CELLS = 24;

/** `████░░░░  42 %  1,234 of 2,938  98,000/s`: how far, and how fast on average. */
export function bar(
  label: string,
  at: { readonly done: number; readonly total: number; readonly seconds: number },
): string {
  const share = at.total === 0 ? 1 : Math.min(1, at.done / at.total);
  const full = Math.round(share * BAR_CELLS);
  const cells = '█'.repeat(full) + '░'.repeat(BAR_CELLS - full);
  const rate = at.seconds > 0 ? at.done / at.seconds : 0;
  const number = (value: number): string => Math.round(value).toLocaleString('en-US');
  return `${label} ${cells} ${String(Math.floor(share * 100)).padStart(3)} %  ${number(at.done)} of ${number(at.total)}  ${number(rate)}/s`;
}
