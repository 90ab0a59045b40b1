import { LogFileError, TopicsRefused } from '@parley/event-log';
import { CommandError, exitCodes, messageOf, type ExitCode } from './exit.ts';
import type { Context } from './context.ts';
import { logCommand, logHelp } from '../log/command.ts';
import { replayCommand, replayHelp } from '../replay/command.ts';
import { escapeText } from '../render/escape.ts';

const commands: Readonly<
  Record<
    string,
    { readonly help: string; readonly run: (argv: readonly string[], context: Context) => Promise<ExitCode> }
  >
> = {
  replay: { help: replayHelp, run: replayCommand },
  log: { help: logHelp, run: logCommand },
};

/** Several lines, each escaped: messages quote what was typed and what lies in the log. */
const escapeLines = (text: string): string => text.split('\n').map(escapeText).join('\n');

/** What went wrong, for people; a stack only for what nobody foresaw. */
export function explained(
  error: unknown,
  help: string,
): { readonly text: string; readonly exitCode: ExitCode } {
  const message = escapeLines(messageOf(error));
  if (error instanceof CommandError) return { text: message, exitCode: error.exitCode };
  if (error instanceof TopicsRefused) return { text: message, exitCode: exitCodes.environment };
  if (error instanceof LogFileError) return { text: message, exitCode: exitCodes.failed };
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('ERR_PARSE_ARGS')) return { text: `${message}\n\n${help}`, exitCode: exitCodes.usage };
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR')
    return { text: message, exitCode: exitCodes.environment };
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { text: escapeLines(stack), exitCode: exitCodes.failed };
}

/** Runs the command that the first argument names; never throws. */
export async function run([name, ...argv]: readonly string[], context: Context): Promise<ExitCode> {
  const { stdout, stderr, signal } = context;
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    stderr.write(`usage: main.ts <${Object.keys(commands).join('|')}> …\n`);
    return exitCodes.usage;
  }
  if (argv.includes('--help') || argv.includes('-h')) {
    stdout.write(`${command.help}\n`);
    return exitCodes.ok;
  }
  try {
    return await command.run(argv, context);
  } catch (error) {
    if (signal.aborted) return exitCodes.failed;
    const { text, exitCode } = explained(error, command.help);
    stderr.write(`✗ ${text}\n`);
    return exitCode;
  }
}
