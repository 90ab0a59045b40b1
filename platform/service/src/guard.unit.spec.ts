import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { build, problemOf } from '../testing/kit.ts';

describe('a guard', () => {
  const guarded = () => {
    const kit = build({ httpDeadlineMs: 1_000 });
    const left: number[] = [];
    kit.service.http.post('/things', (c) => c.text('done'));
    kit.service.guard(({ header, leftMs }) => {
      left.push(leftMs);
      const refused = header('x-refuse') === 'yes';
      return Promise.resolve(
        refused ? { code: 'NOT_READY', detail: 'not now', retryAfterSeconds: 1 } : undefined,
      );
    });
    return { kit, left };
  };

  it('refuses a request by its headers, also when it was set after the routes', async () => {
    const { kit, left } = guarded();
    expect((await kit.service.http.request('/things', { method: 'POST' })).status).toBe(200);
    const refused = await kit.service.http.request('/things', {
      method: 'POST',
      headers: { 'x-refuse': 'yes' },
    });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'NOT_READY', detail: 'not now' });
    // What is left is less than the deadline: a refusal after it would not reach anyone.
    for (const leftMs of left) expect(leftMs).toBeLessThanOrEqual(800);
  });

  it('refuses a call by its metadata, and a call let through may answer metadata of its own', async () => {
    const { kit } = guarded();
    const bytesOf = (text: string): Buffer => Buffer.from(text);
    const echo = {
      path: '/kit.Echo/say',
      requestStream: false,
      responseStream: false,
      requestSerialize: bytesOf,
      requestDeserialize: String,
      responseSerialize: bytesOf,
      responseDeserialize: String,
    } as const;
    kit.service.grpc.add(
      { say: echo },
      {
        say: (request: string, call) => {
          call.respondWith('x-said', request);
          return request;
        },
      },
    );
    await kit.service.run(() => undefined);
    const client = new Client(`127.0.0.1:${kit.service.ports.grpc ?? 0}`, credentials.createInsecure());
    const say = async (metadata: Metadata): Promise<{ said: unknown; ahead: unknown }> => {
      const ahead = Promise.withResolvers<unknown>();
      const said = Promise.withResolvers<unknown>();
      const deadline = { deadline: Date.now() + 2_000 };
      client
        .makeUnaryRequest(echo.path, echo.requestSerialize, String, 'hello', metadata, deadline, (e, r) => {
          if (e === null) said.resolve(r);
          else said.reject(e);
        })
        .on('metadata', (received: Metadata) => {
          ahead.resolve(received.get('x-said')[0]);
        });
      return { said: await said.promise, ahead: await ahead.promise };
    };
    expect(await say(new Metadata())).toEqual({ said: 'hello', ahead: 'hello' });
    const refused = new Metadata();
    refused.set('x-refuse', 'yes');
    await expect(say(refused)).rejects.toMatchObject({ code: 14, details: 'not now' });
    client.close();
  });
});
