import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { holderOfPort, isFree } from './port-holders.ts';

it('a port in use is not free, and its holder is named until it lets go', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  expect(await isFree(address.port)).toBe(false);
  expect(holderOfPort(address.port)?.pid).toBe(process.pid);
  server.close();
  await once(server, 'close');
  expect(await isFree(address.port)).toBe(true);
  expect(holderOfPort(address.port)).toBeUndefined();
});
