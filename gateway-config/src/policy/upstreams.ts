import type { ServiceName } from '@parley/contracts/endpoints';

/** A port of a service that the gateway forwards to. */
export interface Upstream {
  readonly service: ServiceName;
  readonly port: 'http' | 'grpc';
}

/** Every upstream by its name, the services' HTTP ports first. What a gRPC route leads to is spoken to in HTTP/2. */
export const upstreams = {
  order: { service: 'order', port: 'http' },
  product: { service: 'product', port: 'http' },
  payment: { service: 'payment', port: 'http' },
  notification: { service: 'notification', port: 'http' },
  shipping: { service: 'shipping', port: 'http' },
  'product-grpc': { service: 'product', port: 'grpc' },
} as const satisfies Readonly<Record<string, Upstream>>;

export type UpstreamName = keyof typeof upstreams;
export const upstreamNames = Object.keys(upstreams) as [UpstreamName, ...UpstreamName[]]; // its keys by construction

/** A value for each upstream. */
export const forUpstreams = <T>(
  of: (upstream: Upstream, name: UpstreamName) => T,
): Readonly<Record<UpstreamName, T>> =>
  Object.fromEntries(upstreamNames.map((name) => [name, of(upstreams[name], name)])) as Record<
    UpstreamName,
    T
  >; // each has one
