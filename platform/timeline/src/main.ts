import { LogFileError } from '@parley/event-log';
import { CommandError, exitCodes, messageOf, type ExitCode } from './cli/exit.ts';
import type { Context } from './cli/context.ts';
import { logCommand, logHelp } from './log/command.ts';
import { replayCommand, replayHelp } from './replay/command.ts';
import { escapeText } from './render/escape.ts';

const commands: Readonly<
  Record<
    string,
    { readonly help: string; readonly run: (argv: readonly string[], context: Context) => Promise<ExitCode> }
  >
> = {
  replay: { help: replayHelp, run: replayCommand },
  log: { help: logHelp, run: logCommand },
};

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** What went wrong, for people; a stack only for what nobody foresaw. */
function explain(error: unknown, help: string): ExitCode {
  if (error instanceof CommandError) {
    say(`✗ ${error.message.split('\n').map(escapeText).join('\n')}`);
    return error.exitCode;
  }
  if (error instanceof LogFileError) {
    say(`✗ ${escapeText(error.message)}`);
    return exitCodes.failed;
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('ERR_PARSE_ARGS')) {
    say(`✗ ${messageOf(error)}\n\n${help}`);
    return exitCodes.usage;
  }
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR') {
    say(`✗ ${messageOf(error)}`);
    return exitCodes.environment;
  }
  say(`✗ ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return exitCodes.failed;
}

async function main([name, ...argv]: readonly string[]): Promise<ExitCode> {
  const command = commands[name ?? ''];
  if (command === undefined) {
    say(`usage: main.ts <${Object.keys(commands).join('|')}> …`);
    return exitCodes.usage;
  }
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(`${command.help}\n`);
    return exitCodes.ok;
  }
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      abort.abort();
    });
  // A reader that went away (`npm run log -- list order | head`) has seen enough.
  process.stdout.on('error', () => process.exit(exitCodes.ok));
  try {
    return await command.run(argv, { env: process.env, signal: abort.signal });
  } catch (error) {
    if (abort.signal.aborted) return exitCodes.failed;
    return explain(error, command.help);
  }
}

process.exitCode = await main(process.argv.slice(2));
