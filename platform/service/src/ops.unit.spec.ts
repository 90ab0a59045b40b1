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
});
