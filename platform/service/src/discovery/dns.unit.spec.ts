import { createSocket, type Socket } from 'node:dgram';
import { decode, encode, type Answer } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Discovery } from './discovery.ts';
import { openDns } from './dns.ts';

const domain = 'parley.svc.cluster.local';

/** A pod of a headless service, as Kubernetes' DNS has it. */
const pod = (
  name: string,
  ip: string,
  ports: { readonly http?: number; readonly grpc?: number },
): Answer[] => [
  ...Object.entries(ports).map(([port, number]): Answer => ({
    type: 'SRV',
    name: `_${port}._tcp.product.${domain}`,
    data: { target: `${name}.product.${domain}`, port: number, priority: 0, weight: 50 },
  })),
  { type: 'A', name: `${name}.product.${domain}`, data: ip },
];

describe('Kubernetes DNS', () => {
  let server: Socket;
  let zone: Answer[];
  let isDeaf: boolean;
  let knowsNoName: boolean;
  let markers: Answer[];
  let discovery: Discovery | undefined;
  const warnings: string[] = [];
  beforeEach(async () => {
    isDeaf = false;
    knowsNoName = false;
    zone = [];
    markers = [{ type: 'TXT', name: 'dns-version.cluster.local', data: '1.1.0' }];
    warnings.length = 0;
    server = createSocket('udp4').on('message', (message, from) => {
      if (isDeaf) return;
      const { id, questions = [] } = decode(message);
      const [asked] = questions;
      // As CoreDNS has it: neither a headless service nor its ports are names while no pod is ready.
      const known = (knowsNoName ? [] : [...zone, ...markers]).filter(({ name }) => name === asked?.name);
      const answers = known.filter(({ type }) => type === asked?.type);
      const flags = known.length > 0 ? 0 : 3; // NXDOMAIN
      server.send(
        encode({ type: 'response', id: id ?? 0, flags, questions, answers }),
        from.port,
        from.address,
      );
    });
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    await discovery?.close();
    server.close();
  });

  const follow = async (): Promise<Discovery> => {
    discovery = openDns({
      domain,
      services: ['product'],
      servers: [`127.0.0.1:${server.address().port}`],
      log: { info: () => undefined, warn: (_fields, message) => void warnings.push(message) },
      pollEveryMs: 20,
    });
    await discovery.start();
    return discovery;
  };
  const idsOf = (of: Discovery): string[] => of.resolve('product').map(({ id }) => id.split('.')[0] ?? '');

  it('names every pod with its address and its ports by name', async () => {
    zone = [
      ...pod('product-0', '10.0.0.1', { http: 8080, grpc: 9090 }),
      ...pod('product-1', '10.0.0.2', { http: 8080 }),
    ];
    const found = await follow();
    expect(found.resolve('product')).toEqual([
      {
        service: 'product',
        id: `product-0.product.${domain}`,
        version: 'unknown',
        host: '10.0.0.1',
        ports: { http: 8080, grpc: 9090 },
      },
      {
        service: 'product',
        id: `product-1.product.${domain}`,
        version: 'unknown',
        host: '10.0.0.2',
        ports: { http: 8080 },
      },
    ]);
  });

  it('is asked again and again: pods that come are called, and those that left are not', async () => {
    zone = pod('product-0', '10.0.0.1', { http: 8080 });
    const found = await follow();
    const same = found.resolve('product');
    zone = [...zone, ...pod('product-1', '10.0.0.2', { http: 8080 })];
    await vi.waitFor(() => {
      expect(idsOf(found)).toEqual(['product-0', 'product-1']);
    });
    zone = pod('product-0', '10.0.0.1', { http: 8080 });
    await vi.waitFor(() => {
      expect(found.resolve('product')).toEqual(same);
    });
  });

  it.each([
    { by: 'its version', marker: { type: 'TXT', name: 'dns-version.cluster.local', data: '1.1.0' } },
    {
      by: "the API server's service",
      marker: { type: 'A', name: 'kubernetes.default.svc.cluster.local', data: '10.96.0.1' },
    },
  ] satisfies { by: string; marker: Answer }[])(
    'that has the zone, by $by, and not the name of a service: the service is scaled to 0, and no pod of it is called',
    async ({ marker }) => {
      markers = [marker];
      zone = pod('product-0', '10.0.0.1', { http: 8080 });
      const found = await follow();
      expect(idsOf(found)).toEqual(['product-0']);
      zone = [];
      await vi.waitFor(() => {
        expect(idsOf(found)).toEqual([]);
      });
      expect(found.report().staleMs).toEqual({});
    },
  );

  it('that has lost the zone leaves the last known pods of a service, and says for how long', async () => {
    zone = pod('product-0', '10.0.0.1', { http: 8080 });
    const found = await follow();
    knowsNoName = true;
    await vi.waitFor(() => {
      expect(found.report().staleMs.product).toBeGreaterThan(50);
    });
    expect(idsOf(found)).toEqual(['product-0']);
    knowsNoName = false;
    await vi.waitFor(() => {
      expect(found.report().staleMs).toEqual({});
    });
  });

  it('that does not answer leaves the last known pods, says so once, and the age of the list grows', async () => {
    zone = pod('product-0', '10.0.0.1', { http: 8080 });
    const found = await follow();
    isDeaf = true;
    await vi.waitFor(
      () => {
        expect(warnings).toHaveLength(1);
      },
      { timeout: 8000 },
    );
    expect(idsOf(found)).toEqual(['product-0']);
    expect(found.report().ageMs).toBeGreaterThan(1000);
  });
});
