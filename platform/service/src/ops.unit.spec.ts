import { describe, expect, it } from 'vitest';
import { build, problemOf } from '../testing/kit.ts';

describe('the operations server', () => {
  it('answers the routes that parts of a service bring along, and what they refuse as problems', async () => {
    const kit = build();
    kit.service.addOps([
      {
        method: 'GET',
        path: '/ops/things/:name/parts',
        answer: ({ params, query }) => {
          if (params.name === 'gone') return Promise.resolve({ kind: 'not-found', detail: 'gone' });
          if (query.limit === 'x') return Promise.resolve({ kind: 'invalid', detail: 'no number' });
          return Promise.resolve({ kind: 'ok', body: { params, query } });
        },
      },
    ]);
    await kit.service.run(() => undefined);
    const url = `http://127.0.0.1:${kit.service.ports.ops ?? 0}/ops/things`;
    const answer = await fetch(`${url}/a%20b/parts?limit=3&after=%C3%A4`);
    expect(await answer.json()).toEqual({ params: { name: 'a b' }, query: { limit: '3', after: 'ä' } });
    const missing = await fetch(`${url}/gone/parts`);
    expect(missing.status).toBe(404);
    expect(await problemOf(missing)).toMatchObject({ code: 'ROUTE_NOT_FOUND', detail: 'gone' });
    expect(await problemOf(await fetch(`${url}/a/parts?limit=x`))).toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('lets no web page change anything', async () => {
    const kit = build();
    const calls: string[] = [];
    const answer = () => {
      calls.push('called');
      return Promise.resolve({ kind: 'ok', body: {} } as const);
    };
    kit.service.addOps([{ method: 'POST', path: '/ops/thing', answer }]);
    await kit.service.run(() => undefined);
    const post = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${kit.service.ports.ops ?? 0}/ops/thing`, { method: 'POST', headers });
    expect((await post({ origin: 'http://evil.example' })).status).toBe(400);
    expect(calls).toEqual([]);
    expect((await post({})).status).toBe(200);
  });

  it('hands on what comes as JSON, and refuses too much of it', async () => {
    const kit = build();
    const answer = async ({ json }: { readonly json: () => Promise<unknown> }) =>
      ({ kind: 'ok', body: { body: await json().catch(() => 'none') } }) as const;
    kit.service.addOps([{ method: 'PUT', path: '/ops/thing', answer }]);
    await kit.service.run(() => undefined);
    const put = (body: string) =>
      fetch(`http://127.0.0.1:${kit.service.ports.ops ?? 0}/ops/thing`, { method: 'PUT', body });
    expect(await (await put('{"n":1}')).json()).toEqual({ body: { n: 1 } });
    expect(await (await put('{')).json()).toEqual({ body: 'none' });
    expect((await put('x'.repeat(70_000))).status).toBe(413);
  });

  it('answers text as it is, with the content type that the route names', async () => {
    const kit = build();
    const contentType = 'text/plain; version=0.0.4; charset=utf-8';
    const answer = () => Promise.resolve({ kind: 'text', body: 'up 1\n', contentType } as const);
    kit.service.addOps([{ method: 'GET', path: '/ops/text', answer }]);
    await kit.service.run(() => undefined);
    const response = await fetch(`http://127.0.0.1:${kit.service.ports.ops ?? 0}/ops/text`);
    expect(response.headers.get('content-type')).toBe(contentType);
    expect(await response.text()).toBe('up 1\n');
  });

  it('answers an address that is not there, and a part that fails, as problems, and logs the failure as JSON', async () => {
    const kit = build();
    const answer = (): Promise<never> => Promise.reject(new Error('the secret of the house'));
    kit.service.addOps([{ method: 'POST', path: '/ops/boom', answer }]);
    await kit.service.run(() => undefined);
    const url = `http://127.0.0.1:${kit.service.ports.ops ?? 0}`;
    expect(await problemOf(await fetch(`${url}/nothing`))).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
    const failed = await problemOf(await fetch(`${url}/ops/boom`, { method: 'POST' }));
    expect(failed).toMatchObject({ status: 500, code: 'INTERNAL' });
    expect(JSON.stringify(failed)).not.toContain('secret');
    const errors = kit.lines
      .map((line) => JSON.parse(line) as { level: string })
      .filter(({ level }) => level === 'error');
    expect(errors).toMatchObject([{ service: 'kit', err: { message: 'the secret of the house' } }]);
  });
});
