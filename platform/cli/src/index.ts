export { bypassProxiesOnLoopback } from './no-proxy.ts';
export { endProcess, watchOutput } from './output.ts';
export { printable, printableLine } from './printable.ts';
export { typedPath } from './typed-path.ts';
