import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Endpoints } from '@parley/contracts/endpoints';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineState } from './api.ts';
import { stackState } from './stack-state.ts';

/** Nobody listens there. */
const away = 'http://127.0.0.1:1';
const declared = { rabbitmq: '3.10', prometheus: '2.42', eureka: '2025.1.2' };

/** RabbitMQ, Prometheus and Eureka as far as the console asks them. */
describe('what the console says of an engine', () => {
  let engines: Server;
  let base: string;
  /** By path; any other is answered with 404. */
  let answers: Record<string, object>;
  beforeAll(async () => {
    engines = createServer((request, response) => {
      const answer = answers[request.url ?? ''];
      const isLetIn =
        request.url !== '/api/overview' || request.headers.authorization === 'Basic Z3Vlc3Q6Z3Vlc3Q=';
      response.writeHead(answer === undefined ? 404 : isLetIn ? 200 : 401);
      response.end(isLetIn ? JSON.stringify(answer) : undefined);
    }).listen(0, '127.0.0.1');
    await once(engines, 'listening');
    base = `http://127.0.0.1:${(engines.address() as AddressInfo).port}`; // listening on TCP
  });
  afterAll(async () => {
    engines.closeAllConnections();
    engines.close();
    await once(engines, 'close');
  });

  const stateOf = async (name: string): Promise<EngineState | undefined> => {
    const service = { http: away, ops: away };
    const endpoints = Endpoints.parse({
      gateway: { url: away, admin: away },
      order: { ...service, grpc: '127.0.0.1:1' },
      product: { ...service, grpc: '127.0.0.1:1' },
      payment: service,
      notification: service,
      shipping: service,
      kafka: { bootstrap: '127.0.0.1:1' },
      registry: { url: away },
      rabbitmq: { amqp: 'amqp://127.0.0.1:1', management: base },
      traces: { ui: away, api: away },
      instances: [],
      discovery: { url: `${base}/eureka` },
      metrics: { url: base },
    });
    return (await stackState(endpoints, declared)).engines.find((engine) => engine.name === name);
  };

  it('is the version that runs, where the engine tells it', async () => {
    answers = {
      '/api/overview': { rabbitmq_version: '3.10.8' },
      '/api/v1/status/buildinfo': { status: 'success', data: { version: '2.42.0+ds' } },
    };
    expect(await stateOf('rabbitmq')).toMatchObject({ up: true, version: '3.10.8' });
    expect(await stateOf('prometheus')).toMatchObject({ up: true, version: '2.42.0+ds' });
  });

  it('is the version that was declared, where the engine tells none', async () => {
    answers = { '/api/overview': { object_totals: {} } };
    expect(await stateOf('rabbitmq')).toMatchObject({ up: true, version: '3.10' });
    expect(await stateOf('prometheus')).toMatchObject({ up: true, version: '2.42' });
    expect(await stateOf('eureka')).toMatchObject({ up: true, version: '2025.1.2' });
  });

  it('is the address of its page, not that of its interface', async () => {
    answers = {};
    expect(await stateOf('eureka')).toMatchObject({ address: `${base}/` });
  });
});
