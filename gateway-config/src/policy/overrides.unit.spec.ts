import { describe, expect, it } from 'vitest';
import { PolicyInvalid, policyFrom } from './overrides.ts';
import { gatewayPolicy } from './policy.ts';

describe('a policy from a document', () => {
  it('has what the document says, and Parley’s own for the rest', () => {
    const policy = policyFrom('{"limits": {"client": {"requests": 250}}, "cors": {"origins": []}}');
    expect(policy.limits).toEqual({ ...gatewayPolicy.limits, client: { requests: 250, windowSeconds: 1 } });
    expect(policy.cors).toEqual({ ...gatewayPolicy.cors, origins: [] });
    expect(policy.routes).toEqual(gatewayPolicy.routes);
  });

  it.each([
    ['no JSON', '{', /not JSON/],
    ['a limit of nothing', '{"limits": {"client": {"requests": 0}}}', /limits\.client\.requests/],
    ['a field that nobody knows', '{"limit": 5}', /limit/],
    ['an error that is not in the catalogue', '{"errors": {"internal": "OOPS"}}', /errors\.internal/],
    [
      'a stream that ends before its route’s time',
      '{"connections": {"streamIdleTimeoutMs": 9000}}',
      /longer than/,
    ],
    ['text in the place of a group', '{"limits": "none"}', /limits/],
  ])('with %s is refused, and the field is named', (_what, json, named) => {
    expect(() => policyFrom(json)).toThrow(PolicyInvalid);
    expect(() => policyFrom(json)).toThrow(named);
  });
});
