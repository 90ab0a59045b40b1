import { stripVTControlCharacters, styleText } from 'node:util';

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

/** Says lines on a stream; stderr keeps stdout free for results. */
export const outputTo = (stream: NodeJS.WriteStream): Output => {
  const colours = stream.isTTY && (process.env.NO_COLOR ?? '') === '';
  const say = (text: string, style?: Style): void => {
    const plain = stripVTControlCharacters(text);
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
