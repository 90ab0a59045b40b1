import { attribute, metricDefinitions, prometheusLabel, prometheusName } from '@parley/contracts/telemetry';
import { describe, expect, it } from 'vitest';
import { kitCatalog } from '../../testing/catalog.ts';
import { build } from '../../testing/kit.ts';
import { httpInstances, staticResolve } from '../discovery/static.ts';
import { createPolicy } from '../policy/policy.ts';
import { createRestClient } from '../rest-client.ts';

const running = async () => {
  const kit = build();
  kit.service.http.get('/things/:id', (c) => c.json({ id: c.req.param('id') }));
  kit.service.http.get('/broken', (c) => kit.service.problem(c, 'INTERNAL'));
  await kit.service.run(() => undefined);
  const { http = 0, ops = 0 } = kit.service.ports;
  const url = `http://127.0.0.1:${http}`;
  return { url, scrape: async () => (await fetch(`http://127.0.0.1:${ops}/metrics`)).text() };
};
const seriesOf = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('metrics of a service', () => {
  it('tell rate, errors and duration of requests by method, route and status', async () => {
    const { url, scrape } = await running();
    for (const path of ['/things/1', '/things/2', '/broken']) await (await fetch(`${url}${path}`)).text();
    const text = await scrape();
    expect(text).toContain(
      'http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/things/:id"} 2',
    );
    expect(text).toMatch(
      /http_server_request_duration_seconds_count\{.*status_code="500".*error_type="INTERNAL"\} 1/,
    );
    expect(text).toContain('http_server_request_duration_seconds_bucket{');
    expect(text).toContain('http_server_active_requests 0');
  });

  it('tell attempts at a peer, by route and not by path', async () => {
    const { url, scrape } = await running();
    const policy = createPolicy({ name: 'kit', timeoutMs: 2_000 });
    const client = createRestClient({
      peer: 'kit',
      resolve: staticResolve(httpInstances('kit', [url])),
      errors: kitCatalog,
      policy,
    });
    for (const id of ['1', '2'])
      await client.request({ method: 'GET', path: `/things/${id}`, route: '/things/:id' });
    await client.request({ method: 'GET', path: '/broken' });
    const text = await scrape();
    expect(text).toMatch(
      /http_client_request_duration_seconds_count\{.*peer_service="kit",http_route="\/things\/:id".*\} 2/,
    );
    expect(text).toMatch(/http_client_request_duration_seconds_count\{.*error_type="INTERNAL"\} 1/);
    expect(text).not.toContain('/things/1');
  });

  it('tell event loop, heap, memory and processor time', async () => {
    const { scrape } = await running();
    const text = await scrape();
    for (const name of ['nodejs_eventloop_utilization_ratio', 'nodejs_eventloop_delay_max_seconds'])
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
    for (const name of ['v8js_memory_heap_used_bytes', 'process_memory_usage_bytes'])
      expect(Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])).toBeGreaterThan(1e6);
    expect(text).toMatch(/^process_cpu_time_seconds_total\{cpu_mode="user"\} [\d.]+$/m);
  });

  it('are as many whatever clients send: paths, methods and ids of theirs make no series', async () => {
    const { url, scrape } = await running();
    const ask = async (n: number): Promise<void> => {
      await (await fetch(`${url}/nothing/${n}`)).text();
      await (await fetch(`${url}/things/${n}`)).text();
      await (await fetch(`${url}/things/${n}`, { method: `METHOD${n}` })).text();
    };
    await ask(0);
    const before = seriesOf(await scrape()).length;
    for (let n = 1; n < 40; n++) await ask(n);
    expect(seriesOf(await scrape()).length).toBe(before);
  });

  it('have the names and labels of the contract, and no others', async () => {
    const { url, scrape } = await running();
    await (await fetch(`${url}/things/1`)).text();
    const known = new Map(
      Object.values(metricDefinitions).map((metric) => [
        prometheusName(metric),
        new Set(metric.attributes.map(prometheusLabel)),
      ]),
    );
    for (const line of seriesOf(await scrape())) {
      const [, sample = '', labels = ''] = /^([a-z0-9_]+)(?:\{(.*)\})? /.exec(line) ?? [];
      if (sample === 'target_info') continue;
      const metric = known.get(sample) ?? known.get(sample.replace(/_(bucket|sum|count)$/, ''));
      expect(metric, line).toBeDefined();
      for (const [, label = ''] of labels.matchAll(/(\w+)="/g))
        expect(label === 'le' || metric?.has(label), line).toBe(true);
    }
    expect(await scrape()).not.toContain(prometheusLabel(attribute.correlationId));
  });
});
