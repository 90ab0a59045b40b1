import { holderOfPort, isFree, portNamesOf, startCommand, type EngineName } from '@parley/engines';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { formatTable } from '../cli/table.ts';
import { otherBase, portsOfStack, type HasPorts } from './ports.ts';
import { oneOfEach, type Scale } from './scale.ts';

/** A port that a stack needs and another process has. */
export interface TakenPort {
  readonly port: number;
  /** What of the stack needs it: `kafka`, `order.http`. */
  readonly neededBy: string;
  /** Who has it, as far as this user may see. */
  readonly holder: string;
}

/** Which ports of a stack are looked at. */
export interface LookedAt {
  /** Default: one instance of each service. */
  readonly scale?: Scale;
  /** What runs already, and has its ports rightly. Default: nothing. */
  readonly running?: Scale;
}

/** Ports of a stack that are in use now, in ascending order. */
export const takenPorts = async (
  context: HasPorts,
  { scale = oneOfEach, running }: LookedAt = {},
): Promise<TakenPort[]> => {
  const held = running === undefined ? new Map<string, number>() : portsOfStack(context, running);
  const all = [...portsOfStack(context, scale)].filter(([neededBy]) => !held.has(neededBy));
  const free = await Promise.all(all.map(([, port]) => isFree(port)));
  return all
    .filter((_, at) => free[at] === false)
    .toSorted(([, a], [, b]) => a - b)
    .map(([neededBy, port]) => {
      const holder = holderOfPort(port);
      return {
        port,
        neededBy,
        holder: holder === undefined ? 'a process of another user' : `pid ${holder.pid}: ${holder.command}`,
      };
    });
};

/** Who has ports of an engine that does not run, a line each: why it cannot start. */
export const strangersAt = async (name: EngineName, context: HasPorts): Promise<string[]> => {
  const own = portNamesOf(name);
  const taken = await takenPorts(context);
  return taken
    .filter(({ neededBy }) => own.includes(neededBy))
    .map(
      ({ port, holder }) =>
        `port ${port}, which ${name} needs, is held by ${holder}. End that, and ${name} starts`,
    );
};

const shownMax = 5;

/** What to tell somebody whose stack cannot start, or undefined when all its ports are free. */
export const takenPortsMessage = async (
  context: HasPorts,
  lookedAt?: LookedAt,
): Promise<string | undefined> => {
  const taken = await takenPorts(context, lookedAt);
  if (taken.length === 0) return undefined;
  const rows = taken.slice(0, shownMax).map(({ port, neededBy, holder }) => [`  ${port}`, neededBy, holder]);
  const more = taken.length > shownMax ? `\n  and ${taken.length - shownMax} more` : '';
  return `ports that this stack needs are in use:\n${formatTable(rows)}${more}\nEnd what holds them, or take other ports: PARLEY_PORT_BASE=${otherBase(context.portBase)} ${startCommand()}`;
};

/** Refuses with exit code 3 and the holders' names when a port of the stack is in use. */
export const refuseTakenPorts = async (context: HasPorts, lookedAt?: LookedAt): Promise<void> => {
  const message = await takenPortsMessage(context, lookedAt);
  if (message !== undefined) throw new CommandError(exitCodes.environment, message);
};
