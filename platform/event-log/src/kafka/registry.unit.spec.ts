import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import avsc from 'avsc';
import { afterEach, expect, it } from 'vitest';
import { registryStore } from './registry.ts';

const schema = { type: 'record', name: 'Ticked', namespace: 'test', fields: [] };
const currency = { type: 'enum', name: 'Currency', namespace: 'test', symbols: ['EUR', 'CHF'] };
const money = {
  type: 'record',
  name: 'Money',
  namespace: 'test',
  fields: [
    { name: 'amount', type: 'long' },
    { name: 'currency', type: 'Currency' },
  ],
};
const priced = {
  type: 'record',
  name: 'Priced',
  namespace: 'test',
  fields: [
    { name: 'was', type: ['null', 'test.Money'] },
    { name: 'is', type: 'test.Money' },
  ],
};
let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/**
 * A registry that has not read its own state: as observed of Apicurio for a tenth of a second and more after its port
 * opens. It has read everything once it confirms a write, or, when it is `empty`, never knows anything.
 */
async function startingRegistry(options: { readonly empty?: boolean; readonly onlyReads?: boolean } = {}) {
  let asked = 0;
  let registering = true;
  let settled = false;
  server = createServer((request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const { method, url = '' } = request;
    if (method === 'PUT') {
      settled = !registering && options.empty !== true;
      answer(settled || registering ? 200 : 404, {});
    } else if (method === 'POST') answer(200, { id: 1 });
    else if (url.startsWith('/config/')) answer(200, { compatibilityLevel: 'FULL_TRANSITIVE' });
    else if (url === '/schemas/ids/7') {
      asked++;
      answer(settled ? 200 : 404, settled ? { schema: JSON.stringify(schema) } : {});
    } else if (url === '/schemas/ids/9')
      answer(200, { schemaType: 'PROTOBUF', schema: 'syntax = "proto3";' });
    else if (url === '/schemas/ids/11')
      answer(200, {
        schema: JSON.stringify(priced),
        references: [{ name: 'test.Money', subject: 'test.Money', version: 2 }],
      });
    else if (url === '/subjects/test.Money/versions/2')
      answer(200, {
        schema: JSON.stringify(money),
        references: [{ name: 'test.Currency', subject: 'currencies', version: 1 }],
      });
    else if (url === '/subjects/currencies/versions/1') answer(200, { schema: JSON.stringify(currency) });
    else if (url === '/schemas/ids/13')
      answer(200, {
        schema: JSON.stringify(priced),
        references: [{ name: 'test.Money', subject: 'gone', version: 1 }],
      });
    else answer(404, {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const ending = new AbortController();
  const store = registryStore(`http://127.0.0.1:${String(port)}`, ending.signal);
  if (options.onlyReads === true) setTimeout(() => (settled = true), 1000).unref();
  else await store.register('test.Ticked', schema);
  registering = false;
  return { store, asked: () => asked, ending };
}

it('an id that a starting registry does not know yet is asked for again behind a write', async () => {
  const { store, asked } = await startingRegistry();
  expect(await store.fetch(7)).toEqual(schema);
  expect(asked()).toBe(2);
});

it('an id that the registry does not know after a write is unknown for good', async () => {
  const { store } = await startingRegistry();
  expect(await store.fetch(8)).toBeUndefined();
});

it('a registry that does not know what this process registered is no answer', async () => {
  const { store } = await startingRegistry({ empty: true });
  await expect(store.fetch(7)).rejects.toThrow('test.Ticked');
});

it('a process that only reads, and so writes nothing, waits until the registry has answered for a while', async () => {
  const { store, asked } = await startingRegistry({ onlyReads: true });
  expect(await store.fetch(7)).toEqual(schema);
  expect(asked()).toBe(2);
});

it('a schema in another language is an answer, and none that a reader can use', async () => {
  const { store } = await startingRegistry();
  expect(await store.fetch(9)).toEqual({});
});

it('a schema with references is read whole, each type defined where its name comes first', async () => {
  const { store } = await startingRegistry();
  const whole = await store.fetch(11);
  const type = avsc.Type.forSchema(whole as avsc.Schema);
  const value = { was: { amount: 1, currency: 'CHF' }, is: { amount: 2, currency: 'EUR' } };
  expect(type.fromBuffer(type.toBuffer(value))).toMatchObject(value);
});

it('a schema of which a part is not there is unknown', async () => {
  const { store } = await startingRegistry();
  expect(await store.fetch(13)).toBeUndefined();
});

it('whoever waits for a registry that may be starting waits no longer when the log is closed', async () => {
  const { store, asked, ending } = await startingRegistry({ onlyReads: true });
  let error: unknown;
  store.fetch(7).catch((reason: unknown) => {
    error = reason;
  });
  await expect.poll(asked).toBe(1);
  ending.abort();
  await expect.poll(() => error, { timeout: 1500 }).toBeInstanceOf(Error); // it would wait for 3 s
});
