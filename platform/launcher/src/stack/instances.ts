import { serviceNames, type Instance, type ServiceName } from '@parley/contracts/endpoints';
import { servicePorts, type HasPortBase } from './ports.ts';
import type { Scale } from './scale.ts';

/** Everything binds here: a development stack is not for the network. */
export const host = '127.0.0.1';

/** What an instance is called everywhere: process, log, pid file, snapshots, consumer. Numbers begin at 1. */
export const instanceId = (service: ServiceName, number: number): string => `${service}-${number}`;

/** The instances of one service in a stack of this scale, by number. */
export const instancesOf = (service: ServiceName, scale: Scale, stack: HasPortBase): readonly Instance[] =>
  scale[service].map((version, at) => {
    const { http, ops, grpc } = servicePorts(service, at + 1, stack);
    const ports = { http, ops, ...(grpc === undefined ? {} : { grpc }) };
    return { service, id: instanceId(service, at + 1), version, host, ports };
  });

/** Every instance of a stack of this scale, in the order of `serviceNames`. */
export const instancesOfStack = (scale: Scale, stack: HasPortBase): readonly Instance[] =>
  serviceNames.flatMap((service) => instancesOf(service, scale, stack));

/** Base URL of the operations port of an instance. */
export const opsUrl = ({ host: at, ports }: Instance): string => `http://${at}:${ports.ops}`;
