import { commands } from './commands/index.ts';
import { dispatch } from './cli/command.ts';
import { CommandError, exitCodes } from './cli/exit.ts';
import { outputTo } from './cli/output.ts';

const output = outputTo(process.stderr);
try {
  process.exitCode = await dispatch(commands, process.argv.slice(2), (text) =>
    process.stdout.write(`${text}\n`),
  );
} catch (error) {
  if (error instanceof CommandError) {
    output.bad(error.message);
    process.exitCode = error.exitCode;
  } else {
    output.bad(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = exitCodes.failed;
  }
}
