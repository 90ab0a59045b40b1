import { watchOutput } from '@parley/cli';
import { exitCodes } from './cli/exit.ts';
import { run } from './cli/run.ts';

const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    abort.abort();
  });
// A reader that went away (`npm run log -- list order | head`) has seen enough.
watchOutput({
  closed: () => process.exit(exitCodes.ok),
  failed: () => process.exit(exitCodes.failed),
});

const { env, stdout, stderr } = process;
process.exitCode = await run(process.argv.slice(2), { env, stdout, stderr, signal: abort.signal });
