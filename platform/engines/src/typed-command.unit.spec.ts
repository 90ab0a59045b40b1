import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startCommand, typedCommand } from './typed-command.ts';

const packageFile = join(import.meta.dirname, '../../../package.json');
const { scripts } = JSON.parse(readFileSync(packageFile, 'utf8')) as { scripts: Record<string, string> };

/** What npm tells whom it starts with this script. */
const below = (name: string): NodeJS.ProcessEnv => ({ npm_lifecycle_script: scripts[name] });

it.each([
  ['dev', 'npm run dev', 'npm run dev'],
  ['up', 'npm run up', 'npm run up'],
  ['obtain', 'npm run obtain', 'npm run dev'],
  ['doctor', 'npm run doctor', 'npm run dev'],
  ['test', 'npm test', 'npm run dev'],
  ['lint', 'npm run dev', 'npm run dev'],
])('below the script %s the typed command is %s, and a stack is started with %s', (name, typed, start) => {
  expect(scripts).toHaveProperty(name);
  expect([typedCommand(below(name)), startCommand(below(name))]).toEqual([typed, start]);
});

it('without npm it is npm run dev', () => {
  expect(typedCommand({})).toBe('npm run dev');
});
