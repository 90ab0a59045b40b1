import { connect, type Server, type Socket } from 'node:net';
import { serviceNames } from '@parley/contracts/endpoints';
import { portsFor } from '@parley/engines';
import type { MeshFile } from '@parley/mesh';
import { servicePorts } from '../stack/ports.ts';

const connectionsMax = 512;

/** Where a connection to a port of the machine's loopback address leads in the mesh. */
export interface RelayTarget {
  readonly host: string;
  readonly port: number;
}

/** The ports that the outside reaches: the gateway, the engines, and each service's operations. Not the services: those take only mesh identities. */
export const relayTargets = (mesh: MeshFile): ReadonlyMap<number, RelayTarget> => {
  const engines = portsFor(mesh.portBase);
  const addressOf = (name: string): string =>
    mesh.nodes.find((node) => node.name === name)?.address ?? mesh.hub.address;
  const inHub = [
    engines.kafka,
    engines.registry,
    engines.rabbitmqAmqp,
    engines.rabbitmqManagement,
    engines.zipkin,
  ];
  const entries: [number, RelayTarget][] = [
    ...[engines.gateway, engines.gatewayAdmin].map((port): [number, RelayTarget] => [
      port,
      { host: addressOf('gateway'), port },
    ]),
    ...[...inHub, mesh.controlPort].map((port): [number, RelayTarget] => [port, { host: '127.0.0.1', port }]),
    ...serviceNames.map((service): [number, RelayTarget] => {
      const { ops } = servicePorts(service, 1, mesh);
      return [ops, { host: addressOf(`${service}-v1`), port: ops }];
    }),
  ];
  return new Map(entries);
};

/** Passes the connections of a server, which listens in the network that it was made in, on to a target in this one. */
export const relay = (server: Server, target: RelayTarget): void => {
  server.maxConnections = connectionsMax;
  server.on('connection', (outside: Socket) => {
    const inside = connect(target);
    outside.pipe(inside).pipe(outside);
    const end = (): void => {
      outside.destroy();
      inside.destroy();
    };
    for (const socket of [outside, inside]) socket.on('error', end).on('close', end);
  });
};
