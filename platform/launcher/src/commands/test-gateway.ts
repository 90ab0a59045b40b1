import { join } from 'node:path';
import { typedPath } from '@parley/cli';
import { stringOption, type Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { runDirFrom } from '../stack/context.ts';
import { runTool } from '../suite/run-tool.ts';
import { abortOnSignals } from './signals.ts';

const suite = 'e2e/src/scenarios/gateway-suite';

/** `npm run test:gateway`: the behaviour of a gateway from outside, whichever it is. */
export const testGatewayCommand: Command = {
  name: 'test:gateway',
  summary: 'tests the behaviour of a gateway from outside, whichever it is',
  help: [
    '--url <address>       where it is (default: the gateway of the running stack)',
    '--token-key <file>    a private key of its issuer, as JWK',
  ],
  options: { url: { type: 'string' }, 'token-key': { type: 'string' } },
  run: async (values) => {
    const [url, key] = [stringOption(values, 'url'), stringOption(values, 'token-key')];
    if ((url === undefined) !== (key === undefined))
      throw new CommandError(exitCodes.usage, '--url and --token-key belong together');
    const env =
      url === undefined || key === undefined
        ? { PARLEY_ENDPOINTS: join(runDirFrom(process.env), 'endpoints.json') }
        : { PARLEY_GATEWAY_URL: url, PARLEY_TOKEN_KEY: typedPath(key) };
    const exitCode = await runTool('vitest', ['run', '--project', 'e2e', suite], {
      env,
      signal: abortOnSignals(),
    });
    return exitCode === 0 ? exitCodes.ok : exitCodes.failed;
  },
};
