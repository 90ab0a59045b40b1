import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Endpoints } from '@parley/contracts/endpoints';
import { afterEach, beforeEach, expect, it } from 'vitest';

const rootDir = join(import.meta.dirname, '../../..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-screenshots-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const endpointsWith = (url: string): Endpoints => {
  const service = { http: url, ops: url };
  return Endpoints.parse({
    console: { url },
    gateway: { url, admin: url },
    order: { ...service, grpc: '127.0.0.1:9' },
    product: { ...service, grpc: '127.0.0.1:9' },
    payment: service,
    notification: service,
    shipping: service,
    kafka: { bootstrap: '127.0.0.1:9' },
    registry: { url },
    rabbitmq: { amqp: 'amqp://127.0.0.1:9', management: url },
    traces: { ui: url, api: url },
    instances: [],
  } satisfies Endpoints);
};

it('screenshots finds an absolute run folder, asks loopback without a proxy and puts --out where it was typed', async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(503).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // listening on TCP
  const runDir = join(folder, 'run');
  mkdirSync(runDir);
  writeFileSync(join(runDir, 'endpoints.json'), JSON.stringify(endpointsWith(`http://127.0.0.1:${port}`)));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'screenshots.ts'), '--out', 'pictures'], {
    cwd: rootDir,
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      PARLEY_RUN_DIR: runDir,
      INIT_CWD: folder,
      npm_config_local_prefix: rootDir,
      NODE_USE_ENV_PROXY: '1',
      HTTP_PROXY: 'http://127.0.0.1:9',
    },
  });
  await once(child, 'exit'); // its console answers nothing that can be read
  expect(asked).toEqual(['/api/ledger']);
  expect(existsSync(join(folder, 'pictures'))).toBe(true);
  server.close();
  await once(server, 'close');
});
