import { bypassProxiesOnLoopback, watchOutput } from '@parley/cli';
import { EngineError, EnvironmentError, IntegrityError } from '@parley/engines';
import { commandsOn } from './commands/index.ts';
import { dispatch } from './cli/command.ts';
import { CommandError, exitCodes, unwritableMessage } from './cli/exit.ts';
import { outputTo } from './cli/output.ts';
import { runDirFrom } from './stack/context.ts';
import { rendererOf } from './stack/engine-configs.ts';
import { engineHostWith } from './stack/engines.ts';
import { mintTokenIn } from './stack/gateway.ts';

bypassProxiesOnLoopback(process.env);
const output = outputTo(process.stderr);
const commands = commandsOn(engineHostWith(rendererOf), mintTokenIn);
// A reader that went away (`npm run dev | head`) is a terminal that was closed: stop in order, or at once when nothing runs.
const stop = (): void => {
  if (!process.emit('SIGHUP')) process.exit(exitCodes.failed);
};
watchOutput({ closed: stop, failed: stop });

try {
  process.exitCode = await dispatch(commands, process.argv.slice(2), (text) =>
    process.stdout.write(`${text}\n`),
  );
} catch (error) {
  const unwritable = unwritableMessage(error, runDirFrom(process.env));
  if (error instanceof CommandError) {
    output.bad(error.message);
    process.exitCode = error.exitCode;
  } else if (
    error instanceof EnvironmentError ||
    error instanceof EngineError ||
    error instanceof IntegrityError
  ) {
    output.bad(error.message);
    process.exitCode = exitCodes.environment;
  } else if (unwritable !== undefined) {
    output.bad(unwritable);
    process.exitCode = exitCodes.environment;
  } else {
    output.bad(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = exitCodes.failed;
  }
}
