import { parseArgs } from 'node:util';
import type { Endpoints, Instance } from '@parley/contracts/endpoints';
import { waitUntil } from '@parley/engines/wait';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { formatTable } from '../cli/table.ts';
import { contextFrom } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';
import { instancesOfStack } from '../stack/instances.ts';
import { holderOf } from '../stack/lock.ts';
import { readPidFile } from '../stack/pid-files.ts';
import { refusalOfBase } from '../stack/ports.ts';
import { changeScale, type Scale } from '../stack/scale.ts';
import { readScale, writeScale } from '../stack/scale-file.ts';
import { instanceRows } from '../stack/start-table.ts';
import { refuseTakenPorts } from '../stack/taken-ports.ts';
import { abortOnSignals } from './signals.ts';

/** Longer than an instance takes to start on a busy machine, or to drain. */
const deadlineMs = 200_000;

const help = [
  'usage: npm run scale -- [<service>=<instances> …] [options]',
  '',
  'starts further instances of services of the running stack, or drains some; without a change it lists them',
  '',
  '  payment=2 order=3    how many instances each shall have, 1 to 8',
  '  --version <name>     of the instances that are added, to tell a canary from the rest (dev)',
  '  --json               the instances as endpoints.json has them',
  '  --help               this text',
].join('\n');

const parse = (argv: readonly string[]) => {
  try {
    const options = {
      version: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    } as const;
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${messageOf(error)}\n\n${help}`);
  }
};

const idsIn = (instances: readonly Instance[]): string =>
  instances.map(({ id, version }) => `${id} ${version}`).join();

/** Asks the running stack for another scale and waits until it has it: what is new is ready, what left is gone. */
const rescale = async (runDir: string, before: Endpoints, wanted: Scale): Promise<void> => {
  const holder = await holderOf(runDir);
  const context = { runDir, portBase: holder?.portBase ?? 0 };
  const refusal = refusalOfBase(context.portBase, wanted);
  if (refusal !== undefined)
    throw new CommandError(exitCodes.environment, `port base ${context.portBase} ${refusal}`);
  await refuseTakenPorts(context, { scale: wanted, running: readScale(runDir) });
  await writeScale(runDir, wanted);
  const after = instancesOfStack(wanted, context);
  const left = before.instances.filter(({ id }) => after.every((other) => other.id !== id));
  const hasChanged = async (): Promise<boolean> =>
    idsIn((await readEndpoints(runDir)).instances) === idsIn(after) &&
    left.every(({ id }) => readPidFile(runDir, id) === undefined);
  if (!(await waitUntil(hasChanged, { deadlineMs, intervalMs: 100, signal: abortOnSignals() })))
    throw new CommandError(
      exitCodes.environment,
      `not done after ${deadlineMs / 1000} s; the logs in ${runDir} say why`,
    );
};

/** `npm run scale`: how many instances the services of the running stack have. */
export const scaleCommand: Command = {
  name: 'scale',
  summary: 'starts further instances of services of the running stack, or drains some',
  help: [],
  options: {},
  takesArgumentsAsTheyAre: true,
  run: async (_values, argv) => {
    const { values, positionals } = parse(argv);
    if (values.help === true) {
      process.stdout.write(`${help}\n`);
      return exitCodes.ok;
    }
    const { runDir } = contextFrom(process.env);
    const typed = positionals.join(',');
    const before = readScale(runDir);
    const wanted = positionals.length === 0 ? before : changeScale(before, typed, values.version);
    if (JSON.stringify(wanted) !== JSON.stringify(before)) {
      outputTo(process.stderr).line(`changing to ${typed} …`);
      await rescale(runDir, await readEndpoints(runDir), wanted);
    }
    const endpoints = await readEndpoints(runDir);
    process.stdout.write(
      `${values.json === true ? JSON.stringify(endpoints.instances) : formatTable(instanceRows(endpoints))}\n`,
    );
    return exitCodes.ok;
  },
};
