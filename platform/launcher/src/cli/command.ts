import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { CommandError, exitCodes, messageOf, type ExitCode } from './exit.ts';

/** Parsed options of a command by long name. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

/** One command of the launcher. `run` returns the exit code; expected failures throw CommandError. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Lines that explain each option, shown by --help. */
  readonly help: readonly string[];
  readonly options: ParseArgsOptionsConfig;
  /** True for a command that takes words besides options; `argv` has them. */
  readonly takesWords?: boolean;
  /** True for a command that parses its arguments itself, --help included; `values` is then empty. */
  readonly takesArgumentsAsTheyAre?: boolean;
  run(values: OptionValues, argv: readonly string[]): Promise<ExitCode>;
}

const usageOf = (command: Command): string =>
  [
    `usage: npm run ${command.name} -- [options]`,
    '',
    command.summary,
    '',
    ...command.help.map((line) => `  ${line}`),
    '  --help    this text',
  ].join('\n');

const parse = (command: Command, argv: readonly string[]): OptionValues => {
  try {
    const options = { ...command.options, help: { type: 'boolean' } } as const;
    const { values } = parseArgs({
      args: [...argv],
      options,
      strict: true,
      allowPositionals: command.takesWords === true,
    });
    return values;
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${messageOf(error)}\n\n${usageOf(command)}`);
  }
};

/**
 * Runs the command that `argv` names and returns its exit code. `--help` prints to stdout and is 0;
 * an unknown command or option prints the usage to stderr and is 2.
 */
export const dispatch = async (
  commands: readonly Command[],
  argv: readonly string[],
  print: (text: string) => void,
): Promise<ExitCode> => {
  const [name, ...rest] = argv;
  const list = ['commands:', ...commands.map((c) => `  ${c.name.padEnd(8)}${c.summary}`)].join('\n');
  if (name === '--help' || name === 'help') {
    print(`usage: npm run <command> -- [options]\n\n${list}`);
    return exitCodes.ok;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined)
    throw new CommandError(
      exitCodes.usage,
      `${name === undefined ? 'no command' : `unknown command ${name}`}\n\n${list}`,
    );
  if (command.takesArgumentsAsTheyAre === true) return command.run({}, rest);
  if (rest.includes('--help')) {
    print(usageOf(command));
    return exitCodes.ok;
  }
  return command.run(parse(command, rest), rest);
};

/** The value of a string option, or undefined when it was not given. */
export const stringOption = (values: OptionValues, name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};
