import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consoleApp } from './app.ts';
import { askPrometheus } from './prometheus.ts';

let folder: string;
let app: ReturnType<typeof consoleApp>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-console-'));
  const ledgerPath = join(folder, 'ledger.json');
  app = consoleApp({ port: 0, runDir: folder, engineVersions: {}, ledgerPath, pageDir: folder });
  await writeFile(join(folder, 'index.html'), '<title>the page</title>');
});
afterAll(() => rm(folder, { recursive: true }));

const own = { host: '127.0.0.1:4070' };
const statusOf = async (path: string, init: RequestInit): Promise<number> =>
  (await app.request(path, init)).status;

describe('the console', () => {
  it('answers only by a loopback name, whatever name was made to point here', async () => {
    expect(await statusOf('/api/ledger', { headers: own })).toBe(200);
    expect(await statusOf('/api/ledger', { headers: { host: 'localhost:4070' } })).toBe(200);
    for (const host of ['evil.example:4070', '127.0.0.1.evil.example', '192.168.0.1:4070', ''])
      expect(await statusOf('/api/ledger', { headers: { host } })).toBe(421);
  });

  it.each([
    [{ origin: 'http://evil.example', 'content-type': 'application/json' }, 403],
    [{ origin: 'http://127.0.0.1:4080', 'content-type': 'application/json' }, 403],
    [{ 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' }, 403],
    [{ 'content-type': 'application/json' }, 403],
    [{ origin: 'http://127.0.0.1:4070', 'content-type': 'text/plain' }, 415],
    [{ origin: 'http://127.0.0.1:4070', 'content-type': 'application/json' }, 503],
  ])('places an order for no page but its own: %j is %i', async (headers, status) => {
    const init = { method: 'POST', headers: { ...own, ...headers } as Record<string, string>, body: '{}' };
    expect(await statusOf('/api/orders', init)).toBe(status);
  });

  it('says what to do when there is no stack and no run yet', async () => {
    const stack = await app.request('/api/stack', { headers: own });
    expect(stack.status).toBe(503);
    expect(await stack.text()).toContain('npm run dev');
    const figures = await app.request('/api/metrics/query?query=up', { headers: own });
    expect(figures.status).toBe(503);
    expect(await figures.text()).toContain('npm run dev');
    const ledger = await app.request('/api/ledger', { headers: own });
    expect(await ledger.json()).toEqual({ kind: 'none' });
  });

  it('shows the last run as of when it ended, also a copy of its ledger', async () => {
    const path = join(folder, 'ledger.json');
    const tests = { passed: 1, failed: 0, skipped: 0 };
    const generatedAt = '2026-11-28T20:54:09.916Z';
    await writeFile(path, JSON.stringify({ generatedAt, proven: 0, total: 0, tests, rows: [] }));
    const answer = await app.request('/api/ledger', { headers: own });
    expect(await answer.json()).toMatchObject({ kind: 'ledger', writtenAtMs: Date.parse(generatedAt) });
    await rm(path);
  });

  it('answers every page of its own with the page, under a policy that loads nothing from elsewhere', async () => {
    const page = await app.request('/signals?window=5', { headers: own });
    expect(await page.text()).toContain('the page');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await statusOf('/api/other', { headers: own })).toBe(404);
  });
});

describe('a question to Prometheus', () => {
  const range = { query: 'up', start: '0', end: '900', step: '15' };
  it.each<[string, 'query' | 'query_range', Record<string, string>]>([
    ['without a query', 'query', {}],
    ['of more than 4,096 characters', 'query', { query: 'x'.repeat(4_097) }],
    ['with a parameter of its own', 'query', { query: 'up', timeout: '1h' }],
    ['for more than 1,000 points', 'query_range', { ...range, step: '0.1' }],
    ['with a step of nothing', 'query_range', { ...range, step: '0' }],
    ['at a time that is none', 'query_range', { ...range, start: 'yesterday' }],
  ])('%s is refused before it is asked', async (_what, kind, parameters) => {
    expect(await askPrometheus('http://127.0.0.1:1', kind, parameters)).toMatchObject({ kind: 'invalid' });
  });

  it('that is answered without end is given up at the bound, and the connection is closed', async () => {
    const closed = Promise.withResolvers<undefined>();
    let sentBytes = 0;
    const endless = createServer((_, response) => {
      response.once('close', closed.resolve);
      const piece = Buffer.alloc(64 * 1024, 'x');
      const send = (): void => {
        if (response.destroyed) return;
        sentBytes += piece.length;
        response.write(piece, () => setImmediate(send));
      };
      send();
    }).listen(0, '127.0.0.1');
    await once(endless, 'listening');
    const { port } = endless.address() as AddressInfo; // listening on TCP
    try {
      expect(await askPrometheus(`http://127.0.0.1:${port}`, 'query', { query: 'up' })).toEqual({
        kind: 'invalid',
        error: 'the answer has more than 8388608 bytes',
      });
      await closed.promise;
      expect(sentBytes).toBeLessThan(2 * 8_388_608);
    } finally {
      endless.closeAllConnections();
      endless.close();
    }
  });

  it('that is not answered is told as such', async () => {
    expect(await askPrometheus('http://127.0.0.1:1', 'query', { query: 'up' })).toMatchObject({
      kind: 'away',
    });
  });
});
