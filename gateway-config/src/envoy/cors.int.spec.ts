import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { gatewayPolicy } from '../policy/policy.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

describe('pages of other origins', () => {
  const preflight = (origin: string, path = '/api/v1/orders') =>
    gateway.ask(path, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });

  it('a preflight of a known origin is answered here, without a token, with what the page may send', async () => {
    const [origin = ''] = gatewayPolicy.cors.origins;
    const { status, headers } = await preflight(origin);
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe(origin);
    expect(headers.get('access-control-allow-methods')?.split(', ')).toContain('POST');
    expect(headers.get('access-control-allow-headers')?.split(', ')).toContain('authorization');
  });

  it('a known origin may read an answer and its correlation id, a refusal too', async () => {
    const [origin = ''] = gatewayPolicy.cors.origins;
    for (const init of [gateway.asAlice({ origin }), { headers: { origin } }]) {
      const { headers } = await gateway.ask('/api/v1/orders', init);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-expose-headers')).toContain('x-correlation-id');
    }
  });

  it('a preflight that names no method reaches no service', async () => {
    const [origin = ''] = gatewayPolicy.cors.origins;
    for (const path of ['/api/v1/orders', '/anywhere']) {
      const headers = { origin, 'access-control-request-method': '' };
      const answer = await gateway.ask(path, { method: 'OPTIONS', headers });
      expect([404, 405]).toContain(answer.status);
      expect(await answer.text()).not.toContain('"service"');
    }
  });

  it('another origin gets no leave, and its preflight reaches no service', async () => {
    const asked = await preflight('https://evil.example', '/graphql');
    expect(asked.headers.get('access-control-allow-origin')).toBeNull();
    expect(await asked.text()).not.toContain('"service"');
    const read = await gateway.ask('/api/v1/products', { headers: { origin: 'https://evil.example' } });
    expect(read.headers.get('access-control-allow-origin')).toBeNull();
  });
});
