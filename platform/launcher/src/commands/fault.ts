import { parseArgs } from 'node:util';
import { serviceNames, type Instance } from '@parley/contracts/endpoints';
import { OpsFaults, type OpsFault } from '@parley/contracts/rest';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import { formatTable } from '../cli/table.ts';
import { serviceNamed } from '../stack/addresses.ts';
import { contextFrom } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';
import { faultOf, faultOptions } from './fault-options.ts';

const TIMEOUT_MS = 5_000;

const help = [
  'usage: npm run fault -- <service> [options]',
  '',
  'makes every instance of a service of the running stack fail on purpose; without options it tells what is in force',
  '',
  '  --route <name>        what fails: "POST /api/v1/payments", or a gRPC path (everything)',
  '  --latency <time>      every call waits first: 200ms, 2s',
  '  --error-rate <share>  of the calls that fail, 0 to 1 (1)',
  '  --status <status>     that they are answered with, 400 to 599 (503)',
  '  --hang, --reset       instead of an answer: none, or a cut connection',
  '  --for <time>          how long: 30s, 5m (until --clear)',
  '  --calls <number>      for so many calls',
  '  --instance <id>       one instance only: payment-2',
  '  --clear               takes the faults away',
  '  --json                the faults of each instance',
  '  --help                this text',
].join('\n');

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({ args: [...argv], options: faultOptions, strict: true, allowPositionals: true });
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${messageOf(error)}\n\n${help}`);
  }
};

const askOf = async (
  { id, host, ports }: Instance,
  faults: readonly Partial<OpsFault>[] | undefined,
): Promise<readonly OpsFault[]> => {
  try {
    const answer = await fetch(`http://${host}:${ports.ops}/ops/faults`, {
      ...(faults === undefined ? {} : { method: 'PUT', body: JSON.stringify({ faults }) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body: unknown = await answer.json();
    if (!answer.ok) throw new Error(JSON.stringify(body));
    return OpsFaults.parse(body).faults;
  } catch (error) {
    throw new CommandError(exitCodes.environment, `${id} takes no faults: ${messageOf(error)}`, error);
  }
};

const rowOf = (id: string, fault: OpsFault): readonly string[] => [
  id,
  fault.route ?? 'everything',
  fault.failure === 'error' ? `${fault.status} for ${fault.errorRate * 100} %` : fault.failure,
  fault.latencyMs > 0 ? `after ${fault.latencyMs} ms` : '',
  fault.msLeft === undefined ? '' : `for ${(fault.msLeft / 1_000).toFixed(1)} s more`,
  fault.callsLeft === undefined ? '' : `for ${fault.callsLeft} calls more`,
];

/** `npm run fault`: a service that fails on purpose. */
export const faultCommand: Command = {
  name: 'fault',
  summary: 'makes a service of the running stack fail on purpose',
  help: [],
  options: {},
  takesArgumentsAsTheyAre: true,
  run: async (_values, argv) => {
    const { values, positionals } = parse(argv);
    if (values.help === true) {
      process.stdout.write(`${help}\n`);
      return exitCodes.ok;
    }
    const service = serviceNamed(positionals[0]);
    if (service === undefined || positionals.length > 1)
      throw new CommandError(exitCodes.usage, `which service? ${serviceNames.join(', ')}\n\n${help}`);
    const faults = faultOf(values);
    const { instances } = await readEndpoints(contextFrom(process.env).runDir);
    const meant = instances.filter(
      (instance) => instance.service === service && instance.id === (values.instance ?? instance.id),
    );
    if (meant.length === 0)
      throw new CommandError(exitCodes.usage, `there is no instance ${values.instance ?? service}`);
    const inForce = await Promise.all(
      meant.map(async (instance) => ({ instance: instance.id, faults: await askOf(instance, faults) })),
    );
    const rows = inForce.flatMap(({ instance, faults: each }) => each.map((fault) => rowOf(instance, fault)));
    const table = rows.length === 0 ? `${service} has no faults` : formatTable(rows);
    process.stdout.write(`${values.json === true ? JSON.stringify(inForce) : table}\n`);
    return exitCodes.ok;
  },
};
