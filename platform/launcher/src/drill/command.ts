import { randomUUID } from 'node:crypto';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { formatTable } from '../cli/table.ts';
import { abortOnSignals } from '../commands/signals.ts';
import { contextFrom } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';
import type { MintToken } from '../stack/engine-host.ts';
import { firstProductId } from '../stack/readiness.ts';
import { drill } from './drill.ts';
import { drillDeadlineMs as deadlineMs, faults, type DrillStack } from './faults.ts';

const orderDeadlineMs = 10_000;

const list = (): string => formatTable(faults.map(({ name, summary }) => [`  ${name}`, summary]));

/** The running stack, with a customer who orders the first product. */
const runningStack = async (mintToken: MintToken): Promise<DrillStack> => {
  const { runDir } = contextFrom(process.env);
  const endpoints = await readEndpoints(runDir);
  const token = await mintToken({ runDir, sub: 'drill', ttlSeconds: 600 });
  const productId = await firstProductId(endpoints.gateway.url);
  return {
    runDir,
    endpoints,
    placeOrder: async () => {
      await fetch(`${endpoints.gateway.url}/api/v1/orders`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'idempotency-key': randomUUID(),
          'content-type': 'application/json',
        },
        body: JSON.stringify({ productId, quantity: 1 }),
        signal: AbortSignal.timeout(orderDeadlineMs),
      });
    },
  };
};

/** `npm run drill`: whether an alert notices a fault, and how soon. */
export const drillCommandWith = (mintToken: MintToken): Command => ({
  name: 'drill',
  summary: 'puts a fault into the running stack and waits for the alert that names it',
  help: [
    'npm run drill -- <fault>    one of these; it is taken out again afterwards, whatever happens',
    ...list().split('\n'),
    '--json                      the result as one JSON object',
  ],
  options: { json: { type: 'boolean' } },
  takesWords: true,
  run: async ({ json }, argv) => {
    const [name] = argv.filter((word) => !word.startsWith('-'));
    const fault = faults.find((one) => one.name === name);
    if (fault === undefined)
      throw new CommandError(exitCodes.usage, `drill needs one of these faults:\n${list()}`);
    const output = outputTo(json === true ? process.stderr : process.stdout);
    const said = (line: string): void => {
      output.line(line);
    };
    const result = await drill(fault, await runningStack(mintToken), {
      deadlineMs,
      said,
      signal: abortOnSignals(),
    });
    if (json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
    const { alert, detectedAfterMs } = result;
    if (alert === undefined) {
      output.bad(`no alert within ${deadlineMs / 1000} s`);
      return exitCodes.failed;
    }
    output.good(
      `${alert.labels.alertname ?? ''} after ${(detectedAfterMs / 1000).toFixed(1)} s: ${alert.summary}`,
    );
    return exitCodes.ok;
  },
});
