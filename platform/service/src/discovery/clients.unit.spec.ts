/** Both clients over several instances on real sockets. */
import { describe, expect, it } from 'vitest';
import { kitCatalog } from '../../testing/catalog.ts';
import { build } from '../../testing/kit.ts';
import { echo } from '../../testing/echo.ts';
import { createGrpcClient } from '../grpc/client.ts';
import { createPolicy, type Policy } from '../policy/policy.ts';
import { createRestClient } from '../rest-client.ts';
import type { Service } from '../service.ts';
import type { Instance } from './instance.ts';

/** Instances that answer with their number, and a list of them that the test changes. */
const start = async (count: number) => {
  const services: Service[] = [];
  const list: Instance[] = [];
  for (let n = 0; n < count; n += 1) {
    const { service } = build();
    service.http.get('/who', (c) => c.json({ n }));
    service.grpc.add(echo, { say: () => ({ text: String(n) }) });
    await service.run(() => undefined);
    services.push(service);
    list.push({ service: 'kit', id: `kit-${n}`, version: '1', host: '127.0.0.1', ports: service.ports });
  }
  const known: { instances: readonly Instance[] } = { instances: list };
  return { services, list, known, resolve: () => known.instances };
};

/** Each client as a function that tells which instance has answered, or why none has. */
const callers = {
  REST: (resolve: () => readonly Instance[], policy: Policy) => {
    const client = createRestClient({ peer: 'kit', resolve, policy, errors: kitCatalog });
    const call = async (): Promise<string> => {
      const answer = await client.request({ method: 'GET', path: '/who' });
      if (answer.kind === 'ok') return String((answer.body as { n: number }).n);
      return answer.kind === 'unavailable' ? answer.reason : answer.code;
    };
    return { call, close: () => undefined };
  },
  gRPC: (resolve: () => readonly Instance[], policy: Policy) => {
    const client = createGrpcClient(
      { service: echo },
      { peer: 'kit', resolve, deadlineMs: 2_000, policy, errors: kitCatalog, idempotent: ['say'] },
    );
    const call = async (): Promise<string> => {
      const answer = await client.say({ text: '' });
      if (answer.kind === 'ok') return answer.value.text;
      return answer.kind === 'unavailable' ? answer.reason : answer.code;
    };
    return {
      call,
      close: () => {
        client.close();
      },
    };
  },
};

describe.each(Object.keys(callers) as (keyof typeof callers)[])('a %s client', (protocol) => {
  it('gives each of three instances a third of the calls', async () => {
    const { resolve } = await start(3);
    const client = callers[protocol](resolve, createPolicy({ name: 'kit', timeoutMs: 2_000 }));
    const answers: string[] = [];
    for (let n = 0; n < 30; n += 1) answers.push(await client.call());
    expect(['0', '1', '2'].map((n) => answers.filter((answer) => answer === n).length)).toEqual([10, 10, 10]);
    client.close();
  });

  it('asks another instance when one cannot be reached, and then passes that one over', async () => {
    const { services, resolve } = await start(2);
    await services[0]?.stop();
    const policy = createPolicy({ name: 'kit', timeoutMs: 2_000, retries: 2, retryDelayMs: 1 });
    const client = callers[protocol](resolve, policy);
    for (let n = 0; n < 10; n += 1) expect(await client.call()).toBe('1');
    expect(policy.status().counts).toMatchObject({ calls: 10, retries: 1 });
    client.close();
  });

  it('calls no instance that left the list, and one that came to it', async () => {
    const { list, known, resolve } = await start(2);
    const [first, second] = list;
    if (first === undefined || second === undefined) throw new Error('too few instances');
    known.instances = [first];
    const client = callers[protocol](resolve, createPolicy({ name: 'kit', timeoutMs: 2_000 }));
    expect([await client.call(), await client.call()]).toEqual(['0', '0']);
    known.instances = [second];
    expect([await client.call(), await client.call()]).toEqual(['1', '1']);
    known.instances = [];
    expect(await client.call()).toBe('unreachable');
    client.close();
  });
});
