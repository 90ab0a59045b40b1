import { describe, expect, it } from 'vitest';
import { labPolicy } from './lab-policy.ts';
import { parsePolicy, type MeshPolicy } from './policy.ts';
import { renderMesh } from './render.ts';
import { toYaml } from './resources.ts';
import type { Topology } from './topology.ts';

const topology: Topology = {
  services: [
    { name: 'order', virtualIp: '240.241.0.11', httpPort: 4100, grpcPort: 4101 },
    { name: 'product', virtualIp: '240.241.0.12', httpPort: 4110, grpcPort: 4111 },
    { name: 'payment', virtualIp: '240.241.0.13', httpPort: 4120, grpcPort: undefined },
  ],
  workloads: [
    { name: 'order-v1', service: 'order', version: 'v1', address: '10.77.0.11' },
    { name: 'product-v1', service: 'product', version: 'v1', address: '10.77.0.12' },
    { name: 'product-v2', service: 'product', version: 'v2', address: '10.77.0.13' },
    { name: 'payment-v1', service: 'payment', version: 'v1', address: '10.77.0.14' },
  ],
  zipkin: { address: '10.77.0.1', port: 4194 },
};

const everyRule: MeshPolicy = {
  ...labPolicy,
  mtls: 'PERMISSIVE',
  tracing: { samplePercent: 12.5 },
  traffic: [
    {
      service: 'product',
      requestsPerConnectionMax: 100,
      rules: [
        {
          name: 'header',
          when: { header: { name: 'x-canary', value: 'always' }, pathPrefix: '/api' },
          split: [{ version: 'v2', weight: 100 }],
          timeoutMs: 500,
          retries: { attempts: 3, perTryTimeoutMs: 150 },
        },
        {
          name: 'faults',
          when: { pathPrefix: '/faulty' },
          split: [{ version: 'v1', weight: 100 }],
          delay: { delayMs: 250, percent: 50 },
          abort: { httpStatus: 503, percent: 20 },
          retries: { attempts: 0 },
        },
        {
          name: 'canary',
          split: [
            { version: 'v1', weight: 90 },
            { version: 'v2', weight: 10 },
          ],
          mirror: { version: 'v2', percent: 100 },
        },
      ],
    },
  ],
  allow: [{ to: 'payment', from: ['order'] }],
};

describe('the rendered mesh', () => {
  it.each([
    ['lab', labPolicy],
    ['every-rule', everyRule],
  ])('of the policy %s is the golden file', async (name, policy) => {
    await expect(toYaml(renderMesh(policy, topology))).toMatchFileSnapshot(`golden/${name}.yaml`);
  });

  it('tells every sidecar where to listen when nothing is captured, and callers by which addresses they ask', async () => {
    const outbound = { order: '127.70.2.11', product: '127.70.2.12', payment: '127.70.2.13' };
    const loopback: Topology = {
      ...topology,
      listeners: [
        { name: 'gateway', labels: { app: 'gateway', version: 'v1' }, outbound, zipkinAddress: '127.70.2.9' },
        {
          name: 'product-v2',
          labels: { app: 'product', version: 'v2' },
          inbound: { address: '127.70.0.22', service: 'product', httpPort: 4410, grpcPort: 4411 },
          outbound: {},
          zipkinAddress: '127.70.22.9',
        },
      ],
    };
    const resources = renderMesh(labPolicy, loopback);
    const shown = resources.filter(({ kind }) => kind === 'Sidecar' || kind === 'VirtualService');
    await expect(toYaml(shown)).toMatchFileSnapshot('golden/loopback.yaml');
    // Everything else is what it is with captured traffic.
    const others = resources.filter((one) => !shown.includes(one));
    const captured = renderMesh(labPolicy, topology).filter(({ kind }) => kind !== 'VirtualService');
    expect(others).toEqual(captured);
  });

  it('is refused when a rule names a version that does not run', () => {
    const policy = structuredClone(everyRule);
    const last = policy.traffic[0]?.rules.at(-1);
    last?.split.forEach((part) => (part.version = 'v3'));
    expect(() => renderMesh(policy, topology)).toThrow(/product, rule canary: version v3 does not run/);
  });
});

describe('a policy', () => {
  const withRules = (rules: unknown): unknown => ({ ...labPolicy, traffic: [{ service: 'product', rules }] });
  const split = [{ version: 'v1', weight: 100 }];

  it('of the project is well-formed', () => {
    expect(parsePolicy(labPolicy)).toMatchObject({ ok: true });
    expect(parsePolicy(everyRule)).toMatchObject({ ok: true });
  });

  it.each([
    ['weights that miss 100', withRules([{ name: 'a', split: [{ version: 'v1', weight: 90 }] }])],
    ['a negative weight', withRules([{ name: 'a', split: [{ version: 'v1', weight: -5 }] }])],
    [
      'a rule behind one that takes everything',
      withRules([
        { name: 'a', split },
        { name: 'b', split },
      ]),
    ],
    ['only rules with conditions', withRules([{ name: 'a', when: { pathPrefix: '/x' }, split }])],
    [
      'a condition on nothing',
      withRules([
        { name: 'a', when: {}, split },
        { name: 'b', split },
      ]),
    ],
    ['a fault on 150 %', withRules([{ name: 'a', split, delay: { delayMs: 5, percent: 150 } }])],
    ['an unknown field', withRules([{ name: 'a', split, routes: [] }])],
    ['an unknown service', { ...labPolicy, allow: [{ to: 'billing', from: ['order'] }] }],
    ['an unknown mode', { ...labPolicy, mtls: 'STRIKT' }],
  ])('with %s is refused with the place', (_name, data) => {
    const parsed = parsePolicy(data);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.problems.join('\n')).toMatch(/^(traffic|allow|mtls)[\w.]*: /m);
  });
});
