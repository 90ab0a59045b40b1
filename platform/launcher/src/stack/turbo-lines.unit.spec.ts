import { expect, it } from 'vitest';
import { lineSorter, markedOutput } from './turbo-lines.ts';

it('a marked line reaches the person without its prefixes and with its meaning, also when it arrives in pieces', () => {
  const said: string[] = [];
  const all: string[] = [];
  const note = (level: string) => (line: string) => void said.push(`${level}: ${line}`);
  const feed = lineSorter(
    { line: note('line'), good: note('good'), bad: note('bad'), dim: note('dim') },
    (line) => all.push(line),
  );
  const sent: string[] = [];
  markedOutput((line) => sent.push(line)).bad('order died');
  const text = `• Packages in scope\n@parley/order:dev: ${sent.join('')}\n`;
  feed(text.slice(0, 40));
  feed(text.slice(40));
  expect(said).toEqual(['bad: order died']);
  expect(all).toHaveLength(2);
});
