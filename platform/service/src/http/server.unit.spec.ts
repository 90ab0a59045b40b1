import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { listenHttp } from './server.ts';

const stopping: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0)) await stop();
});

const open = async (limits = { headersMsMax: 200, requestMsMax: 400 }) => {
  const app = new Hono();
  app.post('/', async (c) => c.text(await c.req.text()));
  app.onError((_cut, c) => c.body(null, 500)); // nobody reads it
  const server = await listenHttp(app, { port: 0, host: '127.0.0.1', ...limits });
  stopping.push(() => server.drain(100));
  const socket = connect(server.port, '127.0.0.1');
  stopping.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
};

/** Everything that comes until the server closes the connection. */
const everything = async (socket: Socket): Promise<string> => {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
};
const head = 'POST / HTTP/1.1\r\nhost: kit\r\ncontent-type: text/plain\r\n';

describe('a client that is slow on purpose', () => {
  it.each([
    ['its header', head],
    ['its body', `${head}content-length: 100\r\n\r\nsome`],
  ])('and never ends %s is answered 408 and cut', async (_what, sent) => {
    const socket = await open();
    socket.write(sent);
    expect(await everything(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('a request that Node itself would refuse without a problem', () => {
  it.each([
    ['headers as large as the gateway lets in', `x-large: ${'a'.repeat(60 * 1024)}`],
    ['an expectation that is not known', 'expect: a-miracle'],
  ])('is answered by the application: %s', async (_what, header) => {
    const socket = await open({ headersMsMax: 5_000, requestMsMax: 5_000 });
    socket.write(`${head}${header}\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody`);
    expect(await everything(socket)).toMatch(/^HTTP\/1\.1 200 [^]*body/);
  });
});

describe('a connection that is kept', () => {
  it('may be idle for longer than a header may take', async () => {
    const socket = await open({ headersMsMax: 1_000, requestMsMax: 2_000 });
    const ask = async (body: string): Promise<void> => {
      socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString('utf8')).toMatch(new RegExp(`^HTTP/1\\.1 200 [^]*${body}$`));
    };
    await ask('first');
    const idleUntilMs = performance.now() + 2_500;
    await expect.poll(() => performance.now() > idleUntilMs, { timeout: 8_000 }).toBe(true);
    await ask('second');
  });
});
