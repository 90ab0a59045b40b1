import type { Command } from '../cli/command.ts';
import { exitCodes } from '../cli/exit.ts';
import { outputTo, type Output } from '../cli/output.ts';
import { formatTable } from '../cli/table.ts';
import { contextFrom, enginesOf, type StackContext } from '../stack/context.ts';
import type { Check, EngineHost } from '../stack/engine-host.ts';
import { holderOf } from '../stack/lock.ts';
import { outgoingWarning } from '../stack/ports.ts';
import { takenPortsMessage } from '../stack/taken-ports.ts';
import { withBrokersFrom } from './brokers-option.ts';

/** The launcher runs on it, so it is there; which one is worth knowing. */
const nodeCheck: Check = {
  name: 'node',
  ok: true,
  version: process.versions.node,
  detail: undefined,
  mend: undefined,
};

const portsName = 'ports';

const portsCheck = async (context: StackContext): Promise<Check> => {
  const check = { name: portsName, ok: true, version: `${context.portBase}+`, mend: undefined };
  const holder = await holderOf(context.runDir);
  if (holder !== undefined)
    return {
      ...check,
      version: `${holder.portBase}+`,
      detail: `a stack of this clone runs (launcher pid ${holder.pid})`,
    };
  const message = await takenPortsMessage(context);
  if (message === undefined) return { ...check, detail: outgoingWarning(context) ?? 'free' };
  const [, ...rows] = message.split('\n');
  return { ...check, ok: false, detail: rows.slice(0, -1).join('; '), mend: rows.at(-1) };
};

const isSound = ({ ok, optionalFor }: Check): boolean => ok || optionalFor !== undefined;

const noteOf = ({ detail, optionalFor }: Check): string =>
  [detail, optionalFor === undefined ? undefined : `optional, for ${optionalFor}`]
    .filter((text) => text !== undefined)
    .join('; ');

const show = (checks: readonly Check[], output: Output): void => {
  const cells = checks.map((check) => [check.name, check.version ?? '', noteOf(check)]);
  const lines = formatTable(cells).split('\n');
  checks.forEach((check, at) => {
    const { ok, mend } = check;
    const line = lines[at] ?? '';
    if (ok) output.good(line);
    else if (isSound(check)) output.line(`– ${line}`);
    else output.bad(line);
    if (!ok && mend !== undefined) output.line(`    ${mend}`);
  });
  if (checks.every(isSound)) output.line('all that a stack needs is there. Next: npm run dev');
  else if (checks.some((check) => !isSound(check) && check.name !== portsName))
    output.line('npm run dev installs and obtains what is missing where it may, as root or with sudo');
};

/** `npm run doctor`: what is there, in which version, and how to mend what is not. */
export const doctorCommandOn = (host: Pick<EngineHost, 'doctor'>): Command => ({
  name: 'doctor',
  summary: 'shows each prerequisite and engine: there or not, its version, the command that mends it',
  help: [
    '--json    the same for programs; the exit code is 3 when something that a stack needs is missing either way',
  ],
  options: { json: { type: 'boolean' } },
  run: async ({ json }) => {
    const context = withBrokersFrom({}, contextFrom(process.env));
    const checks = [nodeCheck, ...(await host.doctor(enginesOf(context))), await portsCheck(context)];
    if (json === true) process.stdout.write(`${JSON.stringify(checks, undefined, 2)}\n`);
    else show(checks, outputTo(process.stdout));
    return checks.every(isSound) ? exitCodes.ok : exitCodes.environment;
  },
});
