import type { Discovery } from './discovery.ts';
import type { Instance, Resolve } from './instance.ts';

/** What an instance is called that only an address is known of. */
const UNKNOWN_VERSION = 'unknown';

/** A list that never changes. */
export const staticResolve = (instances: readonly Instance[]): Resolve => {
  const byService = Map.groupBy(instances, ({ service }) => service);
  return (service) => byService.get(service) ?? [];
};

/** Instances of which only `host:port` of their gRPC servers is known. */
export const grpcInstances = (service: string, addresses: readonly string[]): readonly Instance[] =>
  addresses.map((address) => {
    const colon = address.lastIndexOf(':');
    return {
      service,
      id: address,
      version: UNKNOWN_VERSION,
      host: address.slice(0, colon),
      ports: { grpc: Number(address.slice(colon + 1)) },
    };
  });

const HTTP_PORT = 80;

/** Instances of which only the base URLs of their HTTP servers are known. */
export const httpInstances = (service: string, baseUrls: readonly string[]): readonly Instance[] =>
  baseUrls.map((baseUrl) => {
    const { hostname, port, host } = new URL(baseUrl);
    const http = port === '' ? HTTP_PORT : Number(port);
    return { service, id: host, version: UNKNOWN_VERSION, host: hostname, ports: { http } };
  });

/** Discovery without a registry: a list that never changes, and nobody who is told of this instance. */
export const openStatic = (instances: readonly Instance[]): Discovery => {
  const resolve = staticResolve(instances);
  const nothing = (): Promise<void> => Promise.resolve();
  const services = Object.fromEntries(Map.groupBy(instances, ({ service }) => service));
  return {
    resolve,
    start: nothing,
    join: nothing,
    leave: nothing,
    close: nothing,
    report: () => ({ kind: 'static', ageMs: null, listed: false, services, staleMs: {} }),
  };
};
