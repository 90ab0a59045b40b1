export type { Discovery, DiscoveryReport } from './discovery.ts';
export { openEureka } from './eureka.ts';
export type { Instance, Resolve } from './instance.ts';
