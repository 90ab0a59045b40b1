import { expect, it } from 'vitest';
import { lineSorter } from './turbo-lines.ts';

it('a marked line reaches the person without its prefixes, also when it arrives in pieces', () => {
  const said: string[] = [];
  const all: string[] = [];
  const feed = lineSorter(
    (line) => said.push(line),
    (line) => all.push(line),
  );
  feed('• Packages in scope\n@parley/order:dev: par');
  feed('ley| order reloads\n');
  expect(said).toEqual(['order reloads']);
  expect(all).toHaveLength(2);
});
