import type { MeshPolicy } from './policy.ts';

/** The policy that `npm run mesh` starts with: everything encrypted, callers by name, nothing injected. */
export const labPolicy: MeshPolicy = {
  mtls: 'STRICT',
  tracing: { samplePercent: 100 },
  traffic: [
    {
      service: 'product',
      rules: [
        {
          name: 'preview',
          when: { header: { name: 'x-parley-version', value: 'v2' } },
          split: [{ version: 'v2', weight: 100 }],
        },
        { name: 'stable', split: [{ version: 'v1', weight: 100 }] },
      ],
    },
  ],
  allow: [
    { to: 'order', from: ['gateway', 'client'] },
    { to: 'product', from: ['gateway', 'order', 'client'] },
    { to: 'payment', from: ['gateway', 'order', 'client'] },
    { to: 'notification', from: ['gateway'] },
    { to: 'shipping', from: ['gateway'] },
  ],
};
