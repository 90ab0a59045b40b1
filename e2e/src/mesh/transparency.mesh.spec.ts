import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ProductPage } from '@parley/contracts/rest';
import { httpHeaders } from '@parley/contracts/headers';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { waitFor } from '../wait.ts';
import {
  accessLog,
  meshNeeds,
  nodeOf,
  readMesh,
  requestsSeenBy,
  sidecars,
  type MeshUnderTest,
} from './mesh.ts';

const root = join(import.meta.dirname, '../../..');
const services = ['order-v1', 'product-v1', 'product-v2', 'payment-v1', 'notification-v1', 'shipping-v1'];
const settleMs = 120_000;

const PidFile = z.looseObject({ pid: z.int(), startTicks: z.int() });

const sha256 = (parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
};

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

const Manifest = z.looseObject({ dependencies: z.record(z.string(), z.string()).default({}) });

/** Folders of a workspace package and of all those that it depends on. */
const packagesLoadedBy = (folder: string, found = new Set<string>()): readonly string[] => {
  found.add(folder);
  const { dependencies } = Manifest.parse(
    JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')),
  );
  for (const name of Object.keys(dependencies).filter((each) => each.startsWith('@parley/'))) {
    const next = relative(root, realpathSync(join(root, 'node_modules', name)));
    if (!found.has(next)) packagesLoadedBy(next, found);
  }
  return [...found].sort();
};

/** What a service is: which process it is, what that was started with, and the code it was started from. */
const fingerprint = (mesh: MeshUnderTest, name: string): Readonly<Record<string, string>> => {
  const path = join(mesh.runDir, 'pids', `${name}.json`);
  const { pid, startTicks } = PidFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  const { service } = nodeOf(mesh, name);
  const sources = packagesLoadedBy(join('domains', service ?? '')).flatMap((folder) =>
    filesBelow(join(root, folder, 'src')),
  );
  return {
    process: `${pid}@${startTicks}`,
    configuration: sha256(['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`))),
    code: sha256(sources.map((file) => readFileSync(file))),
  };
};

const fingerprints = (mesh: MeshUnderTest): Record<string, Readonly<Record<string, string>>> =>
  Object.fromEntries(services.map((name) => [name, fingerprint(mesh, name)]));

/** One order through the gateway, to its end; its correlation id tells its calls from all others. */
const placeOrder = async (mesh: MeshUnderTest, name: string): Promise<string> => {
  const customer = await Customer.of(mesh, name);
  const products = await ask(`${mesh.endpoints.gateway.url}/api/v1/products?limit=100`);
  const inStock = ProductPage.parse(products.body).items.find(({ stock }) => stock > 5);
  const correlationId = randomUUID();
  const { orderId } = await customer.ordered({
    productId: inStock?.productId ?? '',
    quantity: 1,
    headers: { [httpHeaders.correlationId]: correlationId },
  });
  await customer.status(orderId, 'SHIPPED', settleMs);
  return correlationId;
};

/** A call between two nodes, as three parties count it: the caller's sidecar, the callee's, and the service itself. */
const countHop = (
  mesh: MeshUnderTest,
  { from, to, correlationId }: { readonly from: string; readonly to: string; readonly correlationId: string },
): { readonly outbound: number; readonly inbound: number; readonly service: number } => {
  const service = nodeOf(mesh, to).service ?? '';
  const peer = `spiffe://parley.mesh/ns/parley/sa/${nodeOf(mesh, from).account ?? ''}`;
  const outbound = accessLog(mesh, from, correlationId).filter(
    (line) => line.upstream_cluster?.includes(`|${service}.parley.svc.cluster.local`) === true,
  );
  const inbound = accessLog(mesh, to, correlationId).filter((line) => line.downstream_peer === peer);
  return {
    outbound: outbound.length,
    inbound: inbound.length,
    service: requestsSeenBy(mesh, to, correlationId),
  };
};

const hops = [
  { from: 'gateway', to: 'order-v1' },
  { from: 'order-v1', to: 'product-v1' },
  { from: 'order-v1', to: 'payment-v1' },
] as const;

describe('a service in the mesh', () => {
  it('is the same process with a sidecar and without, and every call of an order passes the sidecars of both sides (US7.1, FR-016)', async (context) => {
    if (meshNeeds !== undefined) context.skip(`needs: ${meshNeeds}`);
    const mesh = readMesh();
    const before = fingerprints(mesh);
    const orders = 5;
    const counted = hops.map(({ from, to }) => ({
      hop: `${from} -> ${to}`,
      outbound: 0,
      inbound: 0,
      service: 0,
    }));
    for (let turn = 0; turn < orders; turn++) {
      const correlationId = await placeOrder(mesh, 'captured');
      const counts = await waitFor(
        'every hop counted by all three',
        () => {
          const found = hops.map((hop) => countHop(mesh, { ...hop, correlationId }));
          return found.every(
            ({ outbound, inbound, service }) => service > 0 && outbound === service && inbound === service,
          )
            ? found
            : undefined;
        },
        { deadlineMs: settleMs },
      );
      counts.forEach((count, index) => {
        const sum = counted[index];
        if (sum === undefined) return;
        sum.outbound += count.outbound;
        sum.inbound += count.inbound;
        sum.service += count.service;
      });
    }
    await sidecars(mesh, 'stop');
    let bypassed: number;
    try {
      const correlationId = await waitFor('an order without sidecars', () => placeOrder(mesh, 'direct'), {
        deadlineMs: settleMs,
      });
      bypassed = requestsSeenBy(mesh, 'payment-v1', correlationId);
      expect(bypassed).toBeGreaterThan(0);
      for (const { from, to } of hops)
        expect([...accessLog(mesh, from, correlationId), ...accessLog(mesh, to, correlationId)]).toEqual([]);
      expect(fingerprints(mesh)).toEqual(before);
    } finally {
      await sidecars(mesh, 'start');
    }
    const again = await waitFor(
      'an order through the sidecars again',
      () => placeOrder(mesh, 'captured-again'),
      { deadlineMs: settleMs },
    );
    await waitFor(
      'its calls in the sidecars',
      () =>
        hops.every((hop) => countHop(mesh, { ...hop, correlationId: again }).inbound > 0) ? true : undefined,
      { deadlineMs: settleMs },
    );
    expect(fingerprints(mesh)).toEqual(before);
    evidence(context, ['US7.1', 'FR-016'], {
      orders,
      calls: counted,
      withoutSidecars: { orders: 1, callsSeenByPayment: bypassed, callsSeenBySidecars: 0 },
      sameProcessCodeAndConfiguration: before,
    });
  });
});
