import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sayDeath } from './death.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-death-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('deaths at the same time are each told in one piece, every line with the name', async () => {
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const output = { line: say, good: say, bad: say, dim: say };
  const names = ['kafka', 'envoy', 'zipkin'];
  for (const name of names) await writeFile(join(folder, `${name}.log`), `first\nlast of ${name}\n`);
  await Promise.all(
    names.map((name) => {
      const logPath = join(folder, `${name}.log`);
      return sayDeath(output, { name, death: 'was ended by SIGKILL', logPath, pauseMs: 250 });
    }),
  );
  for (const name of names) {
    const at = said.indexOf(`${name} was ended by SIGKILL; starting again in 0.25 s`);
    expect(said.slice(at + 1, at + 4)).toEqual([
      `  last lines of ${join(folder, `${name}.log`)}:`,
      `  ${name} | first`,
      `  ${name} | last of ${name}`,
    ]);
  }
});
