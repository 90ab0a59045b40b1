import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeadLetterDetail } from '@parley/contracts/rest';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';

/** What a person is given to mend: its payload as JSON, or as it is when that cannot be decoded. */
const textOf = ({ decoded, value }: Pick<DeadLetterDetail, 'decoded' | 'value'>): string =>
  decoded === undefined
    ? Buffer.from(value ?? '', 'base64').toString('utf8')
    : `${JSON.stringify(decoded, undefined, 2)}\n`;

/**
 * Opens the payload of a letter in the person's editor ($VISUAL, $EDITOR, vi) and answers the JSON that it says then.
 * @throws CommandError when the editor fails, or leaves no JSON
 */
export const editLetter = async (
  letter: Pick<DeadLetterDetail, 'decoded' | 'value'>,
  env: NodeJS.ProcessEnv,
): Promise<unknown> => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-dlq-'));
  const file = join(folder, 'letter.json');
  try {
    await writeFile(file, textOf(letter), { mode: 0o600 });
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
