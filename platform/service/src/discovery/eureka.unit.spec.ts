import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Discovery } from './discovery.ts';
import { openEureka } from './eureka.ts';
import type { Instance } from './instance.ts';

const waitMsMax = 10_000;
const waitMs = { timeout: waitMsMax };

const instance = (service: string): Instance => ({
  service,
  id: `${service}-1`,
  version: 'dev',
  host: '127.0.0.1',
  ports: { http: 7000 },
});

interface Lease {
  readonly instanceId: string;
  readonly app: string;
}

/** A registry that keeps leases in memory, and forgets them when the test says so. */
describe('Eureka, as its callers see it', () => {
  let leases: Map<string, Lease>;
  let server: Server;
  let url: string;
  let nowMs: number;
  const open: Discovery[] = [];

  beforeEach(async () => {
    leases = new Map();
    nowMs = 0;
    server = createServer((request, response) => {
      const id = request.url?.split('/')[3] ?? '';
      if (request.method === 'POST') {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          const { instance: lease } = JSON.parse(body) as { readonly instance: Lease };
          leases.set(lease.instanceId, lease);
          response.writeHead(204).end();
        });
        return;
      }
      if (request.method === 'GET') {
        const application = [...leases.values()].map((lease) => ({ instance: [lease] }));
        response.end(JSON.stringify({ applications: { application } }));
        return;
      }
      response.writeHead(leases.has(id) ? 200 : 404).end();
      if (request.method === 'DELETE') leases.delete(id);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
    server.closeAllConnections();
    server.close();
  });

  const opened = async (): Promise<Discovery> => {
    const log = { info: () => undefined, warn: () => undefined };
    const discovery = openEureka({ url, log, now: () => nowMs });
    open.push(discovery);
    await discovery.start();
    return discovery;
  };

  it('has a service that leaves soon after a restart of the registry be none, not lost', async () => {
    const peer = await opened();
    await peer.join(instance('payment'));
    const caller = await opened();
    await caller.join(instance('order'));
    await vi.waitFor(() => {
      expect(caller.report().services).toHaveProperty('order');
    }, waitMs);
    expect(caller.resolve('payment')).toHaveLength(1);

    leases.clear(); // restarted
    await vi.waitFor(() => {
      expect(leases.has('order-1')).toBe(true); // the caller knows that it was forgotten
    }, waitMs);
    expect(caller.resolve('payment')).toHaveLength(1);
    await peer.leave();
    expect(leases.has('payment-1')).toBe(false);
    expect(caller.resolve('payment')).toEqual([]);

    nowMs += 6_000;
    const confirmed = caller.report().ageMs ?? 0;
    await vi.waitFor(() => {
      expect(caller.report().ageMs).toBeLessThan(confirmed);
    }, waitMs);
    expect(caller.resolve('payment')).toEqual([]);
    expect(caller.report().staleMs).toEqual({});
  }, 30_000);

  it('says that it leaves for no longer than it may', async () => {
    const [hurried, patient] = [await opened(), await opened()];
    await hurried.join(instance('payment'));
    await patient.join(instance('order'));
    const first = await Promise.race([
      patient.leave().then(() => 'patient'),
      hurried.leave(50).then(() => 'hurried'),
    ]);
    expect(first).toBe('hurried');
    expect([...leases.keys()]).toEqual(['order-1']);
  });
});
