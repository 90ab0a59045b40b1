import { describe, expect, it } from 'vitest';
import type { Instance } from './instance.ts';
import { KnownInstances } from './known-instances.ts';

const instance = (service: string, number: number): Instance => ({
  service,
  id: `${service}-${number}`,
  version: 'dev',
  host: '127.0.0.1',
  ports: { http: 7000 + number },
});
const [one, two, product] = [instance('payment', 1), instance('payment', 2), instance('product', 1)];

const known = (): { readonly instances: KnownInstances; readonly pass: (ms: number) => void } => {
  let nowMs = 0;
  const instances = new KnownInstances([], () => nowMs);
  instances.replace([one, two, product]);
  return {
    instances,
    pass: (ms) => {
      nowMs += ms;
    },
  };
};

describe('the last known list', () => {
  it('drops an instance at once that left while others of its service remain', () => {
    const { instances } = known();
    instances.replace([two, product]);
    expect(instances.resolve('payment')).toEqual([two]);
    expect(instances.staleMs()).toEqual({});
  });

  it('keeps a service that the registry no longer lists at all, the same array, and says since when', () => {
    const { instances, pass } = known();
    const before = instances.resolve('payment');
    instances.replace([product]);
    pass(20_000);
    instances.replace([product]);
    expect(instances.resolve('payment')).toBe(before);
    expect(instances.staleMs()).toEqual({ payment: 20_000 });
  });

  it('drops an instance that said that it leaves: its service has none left, and was not lost', () => {
    const { instances } = known();
    instances.replace([product]);
    instances.left(new Set([two.id]));
    expect(instances.resolve('payment')).toEqual([one]);
    instances.left(new Set([one.id]));
    instances.replace([product]);
    expect(instances.resolve('payment')).toEqual([]);
    expect(instances.staleMs()).toEqual({});
  });

  it('keeps everything when the registry lists nothing any more', () => {
    const { instances } = known();
    instances.replace([]);
    expect(Object.keys(instances.all()).toSorted()).toEqual(['payment', 'product']);
  });

  it('keeps a lost service for at most ten minutes', () => {
    const { instances, pass } = known();
    instances.replace([product]);
    pass(599_999);
    instances.replace([product]);
    expect(instances.resolve('payment')).toEqual([one, two]);
    pass(1);
    instances.replace([product]);
    expect(instances.resolve('payment')).toEqual([]);
    expect(instances.staleMs()).toEqual({});
  });

  it('is what the registry says as soon as it lists the service again, and the ten minutes begin anew', () => {
    const { instances, pass } = known();
    instances.replace([product]);
    pass(500_000);
    instances.replace([two, product]);
    expect(instances.resolve('payment')).toEqual([two]);
    instances.replace([product]);
    pass(500_000);
    instances.replace([product]);
    expect(instances.resolve('payment')).toEqual([two]);
  });

  it('has no instance of a service of which the registry says that none is left', () => {
    const { instances } = known();
    instances.replace([product], new Set(['payment', 'product']));
    expect(instances.resolve('payment')).toEqual([]);
    instances.replace([product]); // and is not called again when it says nothing more
    expect(instances.resolve('payment')).toEqual([]);
  });
});
