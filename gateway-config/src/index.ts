export { ensureDevKeys, mintToken, type DevKeys, type TokenOptions } from './dev-keys.ts';
export { envoyArguments } from './envoy/arguments.ts';
export { writeEndpoints, type Address } from './envoy/endpoints.ts';
export { applyPolicy, PolicyRefused, writePolicy, type ChangingPolicy } from './envoy/policy-files.ts';
export { renderEnvoy, type EnvoyOptions } from './envoy/render.ts';
export { PolicyInvalid, policyFrom } from './policy/overrides.ts';
export { gatewayPolicy, type GatewayPolicy } from './policy/policy.ts';
export { type Route } from './policy/routes.ts';
export {
  forUpstreams,
  upstreamNames,
  upstreams,
  type Upstream,
  type UpstreamName,
} from './policy/upstreams.ts';
export { tokenPolicy } from './policy/tokens.ts';
