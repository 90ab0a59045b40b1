import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { stripVTControlCharacters, styleText } from 'node:util';
import { printable } from '@parley/cli';

/**
 * What a command says while it works, one line each: no cursor movement, so that a log file reads like the screen.
 * Colour only on a terminal and without NO_COLOR.
 */
export interface Output {
  /** Something happened. */
  line(text: string): void;
  good(text: string): void;
  bad(text: string): void;
  dim(text: string): void;
}

type Style = 'green' | 'red' | 'gray';

/**
 * Appends lines to a file, whose folder is made for the first one only: one that was removed meanwhile stays so. What
 * cannot be written is left out: a full disk keeps nobody from working.
 */
export const appendingTo = (path: string): ((line: string) => void) => {
  let isFirst = true;
  return (line) => {
    try {
      if (isFirst) mkdirSync(dirname(path), { recursive: true });
      appendFileSync(path, `${line}\n`);
    } catch {
      // it is on the terminal
    }
    isFirst = false;
  };
};

/** Says lines on a stream, and each to `also` without colour; stderr keeps stdout free for results. */
export const outputTo = (stream: NodeJS.WriteStream, also?: (line: string) => void): Output => {
  const colours = stream.isTTY && (process.env.NO_COLOR ?? '') === '';
  const say = (text: string, style?: Style): void => {
    const plain = printable(stripVTControlCharacters(text));
    also?.(plain);
    stream.write(`${colours && style !== undefined ? styleText(style, plain, { stream }) : plain}\n`);
  };
  return {
    line: (text) => {
      say(text);
    },
    good: (text) => {
      say(`✓ ${text}`, 'green');
    },
    bad: (text) => {
      say(`✗ ${text}`, 'red');
    },
    dim: (text) => {
      say(text, 'gray');
    },
  };
};
