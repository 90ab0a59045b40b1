import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endpointsPath, writeEndpoints } from './endpoints.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-upstreams-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('endpoints that are written are the whole file of their service, and leave nothing beside it', async () => {
  const at = (port: number) => ({ host: '127.0.0.1', port });
  await writeEndpoints(folder, 'product', [at(1)]);
  await writeEndpoints(folder, 'product', [at(1), at(2)]);
  await writeEndpoints(folder, 'order', []);
  expect(readdirSync(folder).toSorted()).toEqual(['order.json', 'product.json']);
  const written: unknown = JSON.parse(readFileSync(endpointsPath(folder, 'product'), 'utf8'));
  const endpoint = (port: number) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
  });
  expect(written).toEqual({
    resources: [
      {
        '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
        cluster_name: 'product',
        endpoints: [{ lb_endpoints: [endpoint(1), endpoint(2)] }],
      },
    ],
  });
});
