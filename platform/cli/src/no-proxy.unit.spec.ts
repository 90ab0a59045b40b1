import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { bypassProxiesOnLoopback } from './no-proxy.ts';

it('keeps what a person has excepted, in either case', () => {
  const env = { NO_PROXY: 'a.example, 127.0.0.1', no_proxy: 'b.example' };
  bypassProxiesOnLoopback(env);
  const list = 'a.example,127.0.0.1,b.example,localhost,::1';
  expect(env).toEqual({ NO_PROXY: list, no_proxy: list, no_grpc_proxy: list });
});

/** What a command does that asks a stack, and what a process does that it starts. */
const asking = `
  import { execFileSync } from 'node:child_process';
  import { bypassProxiesOnLoopback } from '${join(import.meta.dirname, 'no-proxy.ts')}';
  bypassProxiesOnLoopback(process.env);
  const child = "import('node:http').then(({ get }) => get(process.env.URL_ASKED, (r) => r.pipe(process.stdout)))";
  const answer = await (await fetch(process.env.URL_ASKED)).text();
  process.stdout.write(answer + ' ' + execFileSync(process.execPath, ['-e', child]));
`;

it.each([
  { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:9' },
  { NODE_OPTIONS: '--use-env-proxy', http_proxy: 'http://127.0.0.1:9', no_proxy: 'somewhere.example' },
])('loopback is asked directly with %o, by this process and by one that it starts', async (proxies) => {
  const server = createServer((_, response) => response.end('direct')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // listening on TCP
  const env = { PATH: process.env.PATH, URL_ASKED: `http://127.0.0.1:${port}/`, ...proxies };
  const ran = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', asking], { env });
  expect(ran.stdout).toBe('direct direct');
  server.close();
  await once(server, 'close');
});

it.each([
  ['gateway-config/src/main.ts', 'check', '--schema'],
  ['platform/compat/src/main.ts', 'check', '--registry-url'],
])('%s, which is started without the launcher, asks loopback directly', async (main, ...args) => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // listening on TCP
  const entry = join(import.meta.dirname, '../../..', main);
  const proxies = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:9' };
  const env = { PATH: process.env.PATH, ...proxies };
  const url = `http://127.0.0.1:${port}/asked`;
  await promisify(execFile)(process.execPath, [entry, ...args, url], { env }).catch(() => undefined); // 404
  expect(asked[0]).toMatch(/^\/asked/);
  server.close();
  await once(server, 'close');
});
