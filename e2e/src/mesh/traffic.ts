import { labPolicy, type MeshPolicy, type TrafficRule } from '@parley/mesh/testing';
import { accessLog, mustApply, type MeshUnderTest } from './mesh.ts';

/** The project's policy with other rules for the product service. */
export const withProductRules = (
  rules: readonly TrafficRule[],
  requestsPerConnectionMax?: number,
): MeshPolicy => ({
  ...labPolicy,
  traffic: [
    {
      service: 'product',
      rules: [...rules],
      ...(requestsPerConnectionMax === undefined ? {} : { requestsPerConnectionMax }),
    },
  ],
});

/** Everything to version 1. */
export const toV1: TrafficRule = { name: 'stable', split: [{ version: 'v1', weight: 100 }] };

/** Applies a policy, runs a test on it and puts the project's own back, whatever happens. */
export const underPolicy = async (
  mesh: MeshUnderTest,
  policy: MeshPolicy,
  run: () => Promise<void>,
): Promise<void> => {
  await mustApply(mesh, policy);
  try {
    await run();
  } finally {
    await mustApply(mesh, labPolicy);
  }
};

/** Calls with a correlation id that arrived at each version, as their sidecars count them, and which came as copies. */
export const arrivals = (
  mesh: MeshUnderTest,
  correlationId: string,
): { readonly v1: number; readonly v2: number } => ({
  v1: accessLog(mesh, 'product-v1', correlationId).length,
  v2: accessLog(mesh, 'product-v2', correlationId).length,
});
