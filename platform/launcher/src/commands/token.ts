import { userIdPattern } from '@parley/contracts/headers';
import { stringOption, type Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { contextFrom } from '../stack/context.ts';
import type { MintToken } from '../stack/engine-host.ts';

const ttlSecondsMax = 30 * 24 * 3600;

/** `npm run -s token`: a development token on stdout and nothing else, so that `$(…)` takes it. */
export const tokenCommandWith = (mintToken: MintToken): Command => ({
  name: 'token',
  summary: 'prints a token that the gateway accepts in development',
  help: [
    '--sub <customer>    whose token (alice)',
    '--ttl <seconds>     how long it is valid (3600)',
    '--json             {token, sub, ttlSeconds} on one line',
  ],
  options: { sub: { type: 'string' }, ttl: { type: 'string' }, json: { type: 'boolean' } },
  run: async (values) => {
    const sub = stringOption(values, 'sub') ?? 'alice';
    if (!userIdPattern.test(sub))
      throw new CommandError(
        exitCodes.usage,
        '--sub must have 1 to 128 visible ASCII characters and no blank',
      );
    const ttlSeconds = Number(stringOption(values, 'ttl') ?? '3600');
    if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > ttlSecondsMax)
      throw new CommandError(exitCodes.usage, `--ttl must be a whole number from 1 to ${ttlSecondsMax}`);
    const token = await mintToken({ runDir: contextFrom(process.env).runDir, sub, ttlSeconds });
    process.stdout.write(`${values.json === true ? JSON.stringify({ token, sub, ttlSeconds }) : token}\n`);
    return exitCodes.ok;
  },
});
