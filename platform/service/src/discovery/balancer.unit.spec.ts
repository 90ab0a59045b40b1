import { describe, expect, it } from 'vitest';
import { createBalancer, type Target } from './balancer.ts';
import type { Instance } from './instance.ts';
import { grpcInstances, httpInstances, staticResolve } from './static.ts';

const instance = (id: string, ports: Instance['ports'] = { http: 80 }): Instance => ({
  service: 'product',
  id,
  version: '1',
  host: id,
  ports,
});
const none: ReadonlySet<Target> = new Set();

/** A balancer over a list that the test changes. */
const build = (...instances: readonly Instance[]) => {
  const state = { instances, nowMs: 0 };
  const balancer = createBalancer({
    service: 'product',
    resolve: () => state.instances,
    protocol: 'http',
    now: () => state.nowMs,
  });
  const chosen = (tried = none): string | undefined => balancer.next(tried)?.instance.id;
  return { balancer, state, chosen };
};

describe('a balancer', () => {
  it('gives every instance the same share of the calls', () => {
    const { chosen } = build(instance('a'), instance('b'), instance('c'));
    const counts = new Map<string | undefined, number>();
    for (let n = 0; n < 300; n += 1) {
      const id = chosen();
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({ a: 100, b: 100, c: 100 });
  });

  it('gives a retry an instance that the call has not tried, as long as there is one', () => {
    const { balancer } = build(instance('a'), instance('b'), instance('c'));
    const tried = new Set<Target>();
    for (let n = 0; n < 3; n += 1) {
      const target = balancer.next(tried);
      if (target !== undefined) tried.add(target);
    }
    expect(tried.size).toBe(3);
    expect(balancer.next(tried)).toBeDefined();
  });

  it('passes an instance over that could not be reached, and takes it again later', () => {
    const { balancer, state, chosen } = build(instance('a'), instance('b'));
    const failed = balancer.next(none);
    if (failed === undefined) throw new Error('none was chosen');
    balancer.eject(failed);
    const calls = Array.from({ length: 10 }, () => chosen());
    expect(calls).not.toContain(failed.instance.id);
    state.nowMs += 60_000;
    expect([chosen(), chosen()]).toContain(failed.instance.id);
  });

  it('takes an instance that could not be reached when there is no other', () => {
    const { balancer, chosen } = build(instance('a'));
    const only = balancer.next(none);
    if (only !== undefined) balancer.eject(only);
    expect(chosen()).toBe('a');
  });

  it('never takes an instance that left, and takes one that came at once', () => {
    const { state, chosen } = build(instance('a'), instance('b'));
    chosen();
    state.instances = [instance('c')];
    expect([chosen(), chosen(), chosen()]).toEqual(['c', 'c', 'c']);
    state.instances = [];
    expect(chosen()).toBeUndefined();
  });

  it('leaves out instances without the port, and what goes beyond its maximum', () => {
    const many = Array.from({ length: 100 }, (_, n) => instance(`i${n}`));
    const { balancer } = build(instance('grpc-only', { grpc: 81 }), ...many);
    expect(balancer.targets().map(({ instance: { id } }) => id)).not.toContain('grpc-only');
    expect(balancer.targets().length).toBeLessThanOrEqual(64);
  });

  it('knows an instance again when the list is made anew', () => {
    const { balancer, state } = build(instance('a'));
    const [before] = balancer.targets();
    state.instances = [instance('a'), instance('b')];
    expect(balancer.targets()[0]).toBe(before);
  });
});

describe('a static list', () => {
  it('has the instances that addresses and base URLs name, by service', () => {
    const resolve = staticResolve([
      ...grpcInstances('product', ['127.0.0.1:4111', 'product-2:4111']),
      ...httpInstances('payment', ['http://127.0.0.1:4120', 'http://payment']),
    ]);
    expect(resolve('product').map(({ host, ports }) => [host, ports.grpc])).toEqual([
      ['127.0.0.1', 4111],
      ['product-2', 4111],
    ]);
    expect(resolve('payment').map(({ host, ports }) => [host, ports.http])).toEqual([
      ['127.0.0.1', 4120],
      ['payment', 80],
    ]);
    expect(resolve('nobody')).toEqual([]);
  });
});
