import { Buffer } from 'node:buffer';
import { connect } from 'node:http2';
import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { kitCatalog } from '../../testing/catalog.ts';
import { deserialize, echo, serialize, type Text } from '../../testing/echo.ts';
import { captureSpans } from '../../testing/index.ts';
import { currentContext, runInContext } from '../context.ts';
import { grpcInstances, staticResolve } from '../discovery/static.ts';
import { FaultInjector } from '../faults/injector.ts';
import type { Logger } from '../logging.ts';
import { createPolicy } from '../policy/policy.ts';
import { startTelemetry } from '../telemetry/telemetry.ts';
import { createGrpcClient } from './client.ts';
import { GrpcRefusal } from './refusal.ts';
import { GrpcServer, type GrpcCall } from './server.ts';

const IN_FLIGHT_MAX = 2;

const stopping: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0)) await stop();
});

/** A server on a real socket, and a client of it. */
const build = async (
  say: (request: Text, call: GrpcCall) => Promise<Text> | Text,
  faults?: FaultInjector,
) => {
  const lines: string[] = [];
  const write = (fields: object, message: string): void => void lines.push(JSON.stringify([fields, message]));
  const logger = { info: write, error: write, warn: write } as unknown as Logger; // what the server uses of it
  const spans = captureSpans();
  const telemetry = { service: 'kit', instance: 'kit', zipkinUrl: undefined, logger };
  startTelemetry({ ...telemetry, processors: [spans.processor] });
  const late = { http: 0, grpc: 0 };
  const server = new GrpcServer({
    catalog: kitCatalog,
    logger,
    inFlightMax: IN_FLIGHT_MAX,
    guard: () => Promise.resolve(),
    late,
    faults,
  });
  server.add(echo, { say });
  const address = `127.0.0.1:${await server.listen(0, '127.0.0.1')}`;
  const policy = createPolicy({ name: 'kit', timeoutMs: 2_000 });
  const client = createGrpcClient(
    { service: echo },
    {
      peer: 'kit',
      resolve: staticResolve(grpcInstances('kit', [address])),
      deadlineMs: 2_000,
      policy,
      errors: kitCatalog,
      idempotent: ['say'] as const,
    },
  );
  stopping.push(() => {
    client.close();
    return server.drain(100);
  });
  return { server, client, address, lines, spans, late };
};
const hello: Text = { text: 'hello' };

describe('a gRPC call', () => {
  it('carries the correlation id and hangs its server span on the span of the caller', async () => {
    const { client, spans } = await build(() => ({ text: currentContext().correlationId }));
    const answer = await runInContext({ correlationId: 'c-1' }, () => client.say(hello));
    expect(answer).toEqual({ kind: 'ok', value: { text: 'c-1' } });
    await vi.waitFor(() => {
      expect(spans.finished()).toHaveLength(2);
    });
    const [server, caller] = spans.finished();
    expect(server?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
    expect(server?.attributes['parley.correlation_id']).toBe('c-1');
  });

  it('that is refused tells the code of the catalog', async () => {
    const { client } = await build(() => {
      throw new GrpcRefusal('VALIDATION_FAILED', 'text must be short');
    });
    expect(await client.say(hello)).toEqual({
      kind: 'refused',
      code: 'VALIDATION_FAILED',
      detail: 'text must be short',
    });
  });

  it('above the number that may be under way is refused as OVERLOADED, and taken again when one has ended', async () => {
    const release = Promise.withResolvers<Text>();
    const { client } = await build(({ text }) =>
      text === 'waits' ? release.promise : Promise.reject(new GrpcRefusal('VALIDATION_FAILED', 'no')),
    );
    const waiting = Array.from({ length: IN_FLIGHT_MAX }, () => client.say({ text: 'waits' }));
    await vi.waitFor(async () => {
      expect(await client.say(hello)).toEqual({ kind: 'unavailable', reason: 'peer', code: 'OVERLOADED' });
    });
    release.resolve(hello);
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ kind: 'ok', value: hello })));
    // A refusal gives its place back, too.
    for (let n = 0; n <= IN_FLIGHT_MAX; n += 1) {
      expect(await client.say(hello)).toMatchObject({ kind: 'refused', code: 'VALIDATION_FAILED' });
    }
  });

  it('that is refused in words of no catalog tells the status instead of them', async () => {
    const foreign = new Server();
    const metadata = new Metadata();
    metadata.set('parley-code', 'do not believe this');
    foreign.addService(echo, {
      say: (_call: unknown, callback: (refusal: object) => void) => {
        callback({ code: 9, details: 'no', metadata });
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      foreign.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    stopping.push(() => {
      foreign.forceShutdown();
    });
    const policy = createPolicy({ name: 'foreign', timeoutMs: 2_000 });
    const resolve = staticResolve(grpcInstances('foreign', [`127.0.0.1:${port}`]));
    const options = {
      peer: 'foreign',
      resolve,
      deadlineMs: 2_000,
      policy,
      errors: kitCatalog,
      idempotent: ['say'] as const,
    };
    const other = createGrpcClient({ service: echo }, options);
    stopping.push(() => {
      other.close();
    });
    expect(await other.say(hello)).toEqual({ kind: 'refused', code: '9', detail: 'no' });
  });

  it('that breaks the server inside tells nothing of it to the caller, and everything to the log', async () => {
    const { client, lines } = await build(() => {
      throw new Error('the secret of the house');
    });
    const answer = await client.say(hello);
    expect(answer).toEqual({ kind: 'unavailable', reason: 'peer', code: 'INTERNAL' });
    expect(lines.some((line) => line.includes('a call failed unexpectedly'))).toBe(true);
  });

  it("that cannot be read is refused as the caller's mistake, with the code and without quoting it", async () => {
    let looked = false;
    const { address, lines } = await build((request) => {
      looked = true;
      return request;
    });
    const raw = new Client(address, credentials.createInsecure());
    stopping.push(() => {
      raw.close();
    });
    const unreadable = (): Buffer => Buffer.from('alice, and no JSON');
    const error = await new Promise((resolve) => {
      const options = { deadline: Date.now() + 2_000 };
      raw.makeUnaryRequest(echo.say.path, unreadable, deserialize, hello, new Metadata(), options, resolve);
    });
    const { code, details, metadata } = error as ServiceError;
    expect([code, metadata.get('parley-code')]).toEqual([3, ['MALFORMED_REQUEST']]);
    expect(details).not.toContain('alice');
    expect(looked).toBe(false);
    expect(lines.filter((line) => line.includes('MALFORMED_REQUEST'))).toHaveLength(1);
  });

  it('cannot come in any number on one connection', async () => {
    const { address } = await build((request) => request);
    const session = connect(`http://${address}`);
    stopping.push(() => {
      session.destroy();
    });
    const streams = await new Promise((resolve) => {
      session.once('remoteSettings', ({ maxConcurrentStreams }) => {
        resolve(maxConcurrentStreams);
      });
    });
    expect(streams).toBe(2 * IN_FLIGHT_MAX);
  });

  it('without a deadline is refused before it is looked at', async () => {
    let looked = false;
    const { address } = await build((request) => {
      looked = true;
      return request;
    });
    const raw = new Client(address, credentials.createInsecure());
    stopping.push(() => {
      raw.close();
    });
    const code = await new Promise((resolve) => {
      raw.makeUnaryRequest(echo.say.path, serialize, deserialize, hello, new Metadata(), (error) => {
        resolve(error?.metadata.get('parley-code')[0]);
      });
    });
    expect(code).toBe('MALFORMED_REQUEST');
    expect(looked).toBe(false);
  });

  it('whose deadline passes before work on it begins is refused, and counted as late', async () => {
    let looked = false;
    const faults = new FaultInjector();
    const { address, late } = await build((request) => {
      looked = true;
      return request;
    }, faults);
    faults.set([{ latencyMs: 600, failure: 'none', status: 503, errorRate: 1 }]);
    await rawCode(address, '500m'); // the server's time for it, whatever the client's clock says
    await expect.poll(() => late).toEqual({ http: 0, grpc: 1 });
    expect(looked).toBe(false);
  });

  it('ends at its deadline for both sides', async () => {
    const aborted = Promise.withResolvers<boolean>();
    const { client } = await build((request, { signal }) => {
      if (request.text === 'connect') return request;
      signal.addEventListener('abort', () => {
        aborted.resolve(true);
      });
      return new Promise(() => undefined);
    });
    await client.say({ text: 'connect' });
    expect(await client.say(hello, { deadlineMs: 200 })).toEqual({ kind: 'unavailable', reason: 'timeout' });
    expect(await aborted.promise).toBe(true);
  });

  it('under way finishes when the server drains, and a later one is unavailable', async () => {
    const entered = Promise.withResolvers<undefined>();
    const release = Promise.withResolvers<Text>();
    const { client, server } = await build(() => {
      entered.resolve(undefined);
      return release.promise;
    });
    const underWay = client.say(hello);
    await entered.promise;
    const draining = server.drain(5_000);
    release.resolve({ text: 'done' });
    expect(await underWay).toEqual({ kind: 'ok', value: { text: 'done' } });
    expect(await draining).toBe(true);
    expect(await client.say(hello)).toMatchObject({ kind: 'unavailable', reason: 'unreachable' });
  });

  it('that outlasts the drain is cut off at its deadline, and the drain says so', async () => {
    const entered = Promise.withResolvers<undefined>();
    const { client, server } = await build(() => {
      entered.resolve(undefined);
      return new Promise(() => undefined);
    });
    const underWay = client.say(hello);
    await entered.promise;
    expect(await server.drain(50)).toBe(false);
    expect(await underWay).toMatchObject({ kind: 'unavailable' });
  });

  it.each(['-1S', '1', 'S', '123456789S', '1S2', ' 1S', '1.5S', '١S'])(
    'whose timeout is none (%j) is refused before it is looked at',
    async (timeout) => {
      let looked = false;
      const { address } = await build((request) => {
        looked = true;
        return request;
      });
      expect(await rawCode(address, timeout)).toBe('MALFORMED_REQUEST');
      expect(looked).toBe(false);
    },
  );

  it('may have the longest timeout that the protocol has', async () => {
    let leftMs = 0;
    const { address } = await build((request, { deadlineAtMs }) => {
      leftMs = deadlineAtMs - Date.now();
      return request;
    });
    expect(await rawCode(address, '99999999H')).toBeUndefined();
    expect(leftMs).toBeGreaterThan(86_400_000);
  });
});

/** Calls with a timeout as it is typed; the code that the answer names. */
const rawCode = async (address: string, timeout: string): Promise<string | undefined> => {
  const session = connect(`http://${address}`);
  stopping.push(() => {
    session.destroy();
  });
  const stream = session.request({
    ':method': 'POST',
    ':path': echo.say.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': timeout,
  });
  const message = serialize(hello);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  stream.end(frame);
  return new Promise((resolve, reject) => {
    const code = (headers: object): void => {
      if ('grpc-status' in headers)
        resolve('parley-code' in headers ? String(headers['parley-code']) : undefined);
    };
    stream.once('response', code).once('trailers', code).once('error', reject).resume();
  });
};
