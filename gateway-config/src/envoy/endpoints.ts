import { randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UpstreamName } from '../policy/upstreams.ts';
import { socketAddress, typed, type Fragment } from './typed.ts';

/** Where something listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The endpoints of one cluster, as a bootstrap and as a file have them. */
export const loadAssignment = (cluster: string, addresses: readonly Address[]): Fragment => ({
  cluster_name: cluster,
  endpoints: [
    { lb_endpoints: addresses.map((address) => ({ endpoint: { address: socketAddress(address) } })) },
  ],
});

/** Where Envoy reads the endpoints of an upstream from, in the folder that it watches. */
export const endpointsPath = (folder: string, upstream: UpstreamName): string =>
  join(folder, `${upstream}.json`);

/**
 * Tells a running Envoy where the instances behind an upstream are: it takes the file a few milliseconds after the rename.
 * With none, requests are refused with 503.
 */
export const writeEndpoints = async (
  folder: string,
  upstream: UpstreamName,
  addresses: readonly Address[],
): Promise<void> => {
  const assignment = typed(
    'envoy.config.endpoint.v3.ClusterLoadAssignment',
    loadAssignment(upstream, addresses),
  );
  await mkdir(folder, { recursive: true });
  const path = endpointsPath(folder, upstream);
  const whole = `${path}.${randomUUID()}`; // in-place writes are not noticed
  await writeFile(whole, JSON.stringify({ resources: [assignment] }));
  await rename(whole, path);
};
