import { setTimeout as pause } from 'node:timers/promises';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Discovery } from './discovery.ts';
import { eurekaApi, RENEW_EVERY_S } from './eureka-api.ts';
import { openEureka } from './eureka.ts';
import type { Instance } from './instance.ts';

/** The specification's bounds. */
const foundMsMax = 30_000;
const goneMsMax = 60_000;
/** For what is to happen besides: far longer than it takes on the slowest machine. */
const waitMsMax = 180_000;
const log = { info: () => undefined, warn: () => undefined };

const instance = (service: string, number: number): Instance => ({
  service,
  id: `${service}-${number}`,
  version: 'v2',
  host: '127.0.0.1',
  ports: { http: 7000 + number, ops: 7100 + number, grpc: 7200 + number },
});

let engines: TestEngines;
let url: string;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['eureka'] });
  url = `http://127.0.0.1:${engines.ports.eureka}/eureka`;
});
afterAll(async () => {
  await engines.stop();
});

const open: Discovery[] = [];
afterEach(async () => {
  const all = open.splice(0);
  await Promise.all(all.map((one) => one.close()));
  await Promise.all(all.map((one) => one.leave()));
});

const opened = async (options: Partial<Parameters<typeof openEureka>[0]> = {}): Promise<Discovery> => {
  const discovery = openEureka({ url, log, ...options });
  open.push(discovery);
  await discovery.start();
  return discovery;
};

/** Resolves when the caller knows these instances of a service, and no other. */
const known = (caller: Discovery, service: string, ids: string[], timeout = foundMsMax): Promise<void> =>
  expect.poll(() => caller.resolve(service).map(({ id }) => id), { timeout, interval: 50 }).toEqual(ids);

describe('Eureka', () => {
  it('has a caller find an instance with its ports and version, and no longer once it has left', async () => {
    const caller = await opened();
    const peer = await opened({ follows: false });
    await peer.join(instance('product', 1));
    await known(caller, 'product', ['product-1']);
    expect(caller.resolve('product')).toEqual([instance('product', 1)]);
    expect(peer.report().listed).toBe(true);
    await peer.leave();
    expect(caller.resolve('product')).toEqual([]); // leave waits until callers know
  });

  it('forgets an instance that no longer renews', async () => {
    const caller = await opened();
    await eurekaApi(url).register(instance('payment', 9), 'UP'); // and is never heard of again
    const alive = await opened({ follows: false });
    await alive.join(instance('payment', 1));
    await known(caller, 'payment', ['payment-1', 'payment-9']);
    await known(caller, 'payment', ['payment-1'], goneMsMax);
  });

  it('has callers keep the last instance of a service that was lost without a word', async () => {
    const caller = await opened();
    const api = eurekaApi(url);
    await api.register(instance('shipping', 1), 'UP');
    await known(caller, 'shipping', ['shipping-1']);
    await api.deregister(instance('shipping', 1)); // as the registry does by itself after an outage of renewals
    while (caller.report().staleMs.shipping === undefined) await pause(50);
    expect(caller.resolve('shipping')).toEqual([instance('shipping', 1)]);
    const again = await opened({ follows: false });
    await again.join(instance('shipping', 2));
    await known(caller, 'shipping', ['shipping-2']);
    await again.leave();
    expect(caller.resolve('shipping')).toEqual([]);
  });

  it('has callers prefer instances that are up, and take one that is down rather than none', async () => {
    const caller = await opened();
    let isHealthy = false;
    const sick = await opened({ follows: false, isHealthy: () => isHealthy });
    await sick.join(instance('order', 1));
    await known(caller, 'order', ['order-1']);
    const well = await opened({ follows: false });
    await well.join(instance('order', 2));
    await known(caller, 'order', ['order-2']);
    isHealthy = true;
    await known(caller, 'order', ['order-1', 'order-2']);
  });

  it(
    'that is away, and that returns without memory, costs nobody the instances that live',
    { timeout: 1_200_000 },
    async () => {
      const caller = await opened();
      await caller.join(instance('order', 1));
      const peers = await Promise.all([1, 2].map(() => opened({ follows: false })));
      for (const [at, peer] of peers.entries()) {
        await peer.join(instance('product', at + 1));
        await pause(RENEW_EVERY_S * 500); // so they return half that time apart, and between them one is on the list alone
      }
      const both = ['product-1', 'product-2'];
      const stranger = await opened(); // is not listed itself, so that it cannot tell that it was forgotten
      for (const each of [caller, stranger]) await known(each, 'product', both);
      const seen = new Set<string>();
      const idsAt = (each: Discovery): string =>
        each
          .resolve('product')
          .map(({ id }) => id)
          .join();
      const watch = setInterval(() => {
        for (const each of [caller, stranger]) seen.add(idsAt(each));
      }, 20);
      await engines.kill('eureka');
      await pause(2_500);
      expect(caller.report().ageMs).toBeGreaterThan(1_000);
      await engines.restart('eureka');
      const isConfirmed = async (): Promise<void> => {
        while ((caller.report().ageMs ?? Infinity) > 1_500) await pause(50);
      };
      await isConfirmed();
      clearInterval(watch);
      expect([...seen]).toEqual([both.join()]);
      const listed = async (): Promise<string[]> =>
        (await eurekaApi(url).list()).map(({ instance: { id } }) => id).toSorted();
      await expect.poll(listed, { timeout: waitMsMax }).toEqual(['order-1', ...both]);
    },
  );
});
