export { ensureDevKeys, mintToken, type DevKeys, type TokenOptions } from './dev-keys.ts';
export { envoyArguments } from './envoy/arguments.ts';
export { renderEnvoy, type Address, type EnvoyOptions } from './envoy/render.ts';
export { tokenPolicy } from './identity.ts';
export { routes, type Method, type PathMatch, type Route } from './routes.ts';
