import { z } from 'zod';
import { GatewayPolicy, gatewayPolicy } from './policy.ts';

/** A policy that cannot be: nothing of it was used. */
export class PolicyInvalid extends Error {
  override readonly name = 'PolicyInvalid';
}

const Group = z.record(z.string(), z.unknown());

/** Groups are merged field by field; anything else, a list too, takes the place of what was there. */
const merged = (base: unknown, over: unknown): unknown => {
  const [into, from] = [Group.safeParse(base), Group.safeParse(over)];
  if (!into.success || !from.success) return over;
  const fields = Object.entries(from.data).map(
    ([name, value]) => [name, merged(into.data[name], value)] as const,
  );
  return { ...into.data, ...Object.fromEntries(fields) };
};

/**
 * Parley's policy with what a JSON document says otherwise, such as `{"limits": {"client": {"requests": 200}}}`.
 * @throws PolicyInvalid with every field that is wrong.
 */
export const policyFrom = (json: string): GatewayPolicy => {
  let over: unknown;
  try {
    over = JSON.parse(json);
  } catch (error) {
    throw new PolicyInvalid(`not JSON: ${String(error)}`, { cause: error });
  }
  const policy = GatewayPolicy.safeParse(merged(gatewayPolicy, over));
  if (!policy.success) throw new PolicyInvalid(z.prettifyError(policy.error), { cause: policy.error });
  return policy.data;
};
