import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { portsFor } from '@parley/engines';
import { expect, it } from 'vitest';
import { strangersAt } from './taken-ports.ts';

it('who has a port of an engine is named with the port, and only ports of that engine are looked at', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // listening on TCP
  const aBase = 20_000;
  const portBase = port - (portsFor(aBase).zipkin - aBase);
  expect(await strangersAt('zipkin', { portBase })).toEqual([
    expect.stringMatching(new RegExp(`^port ${port}, which zipkin needs, is held by pid ${process.pid}: `)),
  ]);
  const others = await strangersAt('envoy', { portBase });
  expect(others.filter((line) => line.includes(`port ${port},`))).toEqual([]);
  server.close();
  await once(server, 'close');
});
