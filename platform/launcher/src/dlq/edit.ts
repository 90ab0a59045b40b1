import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';

/**
 * Opens a value as JSON in the person's editor ($VISUAL, $EDITOR, vi) and answers what it says then.
 * @throws CommandError when the editor fails, or leaves no JSON
 */
export const editJson = async (value: unknown, env: NodeJS.ProcessEnv): Promise<unknown> => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-dlq-'));
  const file = join(folder, 'letter.json');
  try {
    await writeFile(file, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
    const editor = env.VISUAL ?? env.EDITOR ?? 'vi';
    // As git does: the variable may hold arguments.
    const child = spawn('sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0)
      throw new CommandError(exitCodes.failed, `${editor} ended with ${String(code)}; nothing was done`);
    const text = await readFile(file, 'utf8');
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new CommandError(exitCodes.failed, `that is no JSON (${messageOf(error)}); nothing was done`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
