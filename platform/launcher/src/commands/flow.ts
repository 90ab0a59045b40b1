import type { Command } from '../cli/command.ts';
import { exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { runFlow } from '../flow/flow.ts';
import { contextFrom } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';
import type { MintToken } from '../stack/engine-host.ts';

/** `npm run flow`: one order through the running stack, step by step. */
export const flowCommandWith = (mintToken: MintToken): Command => ({
  name: 'flow',
  summary: 'places an order through the gateway and shows each step, its protocol and its latency',
  help: ['--json    one JSON object on stdout when it is shipped, nothing before'],
  options: { json: { type: 'boolean' } },
  run: async ({ json }) => {
    const { runDir } = contextFrom(process.env);
    const endpoints = await readEndpoints(runDir);
    const token = await mintToken({ runDir, sub: 'alice', ttlSeconds: 300 });
    const output = outputTo(process.stdout);
    const result = await runFlow({
      endpoints,
      token,
      seen: ({ what, protocol, latencyMs }) => {
        if (json !== true)
          output.good(`${latencyMs.toFixed(0).padStart(6)} ms  ${protocol.padEnd(38)}${what}`);
      },
    });
    if (json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      output.line(`order ${result.orderId} was SHIPPED after ${result.shippedAfterMs.toFixed(0)} ms`);
      output.line(`its trace: ${result.traceUrl}`);
    }
    return exitCodes.ok;
  },
});
