import { readFileSync } from 'node:fs';
import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import {
  defaultEngines,
  fetchRefuses,
  portNamesOf,
  portsFor,
  refusalOfBase as refusalByEngines,
  type EngineName,
} from '@parley/engines';
import { oneOfEach, type Scale } from './scale.ts';

/** Where one service listens. */
export interface ServicePorts {
  readonly http: number;
  readonly ops: number;
  readonly grpc: number | undefined;
}

/** What has ports of its own: a stack, or the intention to start one. */
export interface HasPortBase {
  readonly portBase: number;
}

const offsets: Readonly<Record<ServiceName, { readonly offset: number; readonly grpc: boolean }>> = {
  order: { offset: 100, grpc: true },
  product: { offset: 110, grpc: true },
  payment: { offset: 120, grpc: false },
  notification: { offset: 130, grpc: false },
  shipping: { offset: 140, grpc: false },
};

/** Where the second instances begin, and how far those of two numbers lie apart: above whatever engines have. */
const furtherOffset = 300;
const furtherStep = 50;

const offsetOf = (service: ServiceName, number: number): number =>
  offsets[service].offset + (number === 1 ? 0 : furtherOffset + furtherStep * (number - 2));

/**
 * Ports of an instance in the stack with this base: http, +1 gRPC, +2 operations. The first ones lie in the base's first
 * two hundreds with the engines (`portsFor`), the further ones from 400 to 744.
 */
export const servicePorts = (
  service: ServiceName,
  number: number,
  { portBase }: HasPortBase,
): ServicePorts => {
  const http = portBase + offsetOf(service, number);
  return { http, ops: http + 2, grpc: offsets[service].grpc ? http + 1 : undefined };
};

const portsOfServices = (stack: HasPortBase, scale: Scale): [string, number][] =>
  serviceNames.flatMap((service) =>
    scale[service].flatMap((_, at) =>
      Object.entries(servicePorts(service, at + 1, stack)).flatMap(([kind, port]): [string, number][] =>
        typeof port === 'number' ? [[`${service}${at === 0 ? '' : `-${at + 1}`}.${kind}`, port]] : [],
      ),
    ),
  );

/** What tells which ports a stack has. */
export interface HasPorts extends HasPortBase {
  /** Those of a default stack when it is not said. */
  readonly engines?: readonly EngineName[];
}

const portsOfEngines = ({ portBase, engines = defaultEngines }: HasPorts): [string, number][] => {
  const names = engines.flatMap(portNamesOf);
  return Object.entries(portsFor(portBase)).filter(([name]) => names.includes(name));
};

/** Every port of a stack, by who needs it: `kafka`, `order.http`, `product-2.grpc`. */
export const portsOfStack = (stack: HasPorts, scale: Scale = oneOfEach): Map<string, number> =>
  new Map([...portsOfEngines(stack), ...portsOfServices(stack, scale)]);

const portMax = 65_535;

/** Why a stack of this scale cannot have this base, in words that follow it; undefined when it can. */
export const refusalOfBase = (portBase: number, scale: Scale = oneOfEach): string | undefined => {
  const refusal = refusalByEngines(portBase);
  if (refusal !== undefined) return refusal;
  const ports = portsOfServices({ portBase }, scale);
  const beyond = ports.find(([, port]) => port > portMax);
  if (beyond !== undefined) return `puts ${beyond[0]} on port ${beyond[1]}, beyond ${portMax}`;
  const refused = ports.find(([, port]) => fetchRefuses.has(port));
  return refused === undefined
    ? undefined
    : `puts ${refused[0]} on port ${refused[1]}, which fetch and browsers refuse`;
};

const baseStep = 1000;
/** Bases that are offered end below the range of outgoing connections. */
const offeredMax = 31_000;

/** Another base to offer: the next thousand above that a stack can have. */
export const otherBase = (portBase: number): number => {
  for (let base = portBase + baseStep; base <= offeredMax; base += baseStep)
    if (refusalOfBase(base) === undefined) return base;
  return portBase === 4000 ? 5000 : 4000;
};

/** From where to where the kernel takes the ports of outgoing connections; Linux has it in a file. */
const outgoingRange = (): readonly [number, number] | undefined => {
  try {
    const [from, to] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
      .split(/\s+/)
      .map(Number);
    return from === undefined || to === undefined ? undefined : [from, to];
  } catch {
    return undefined;
  }
};

/** What to tell somebody whose stack has ports that an outgoing connection of any program may hold; undefined when it has none. */
export const outgoingWarning = (
  stack: HasPorts,
  range: readonly [number, number] | undefined = outgoingRange(),
): string | undefined => {
  if (range === undefined) return undefined;
  const [from, to] = range;
  const within = [...portsOfStack(stack).values()].filter((port) => port >= from && port <= to);
  return within.length === 0
    ? undefined
    : `${within.length} ports of this stack lie where the kernel takes those of outgoing connections (${from} to ${to}): now and then one will be taken. A PARLEY_PORT_BASE outside, such as ${otherBase(4000)}, avoids that`;
};
