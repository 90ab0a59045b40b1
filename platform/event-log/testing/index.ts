export * from './counter.ts';
export * from './feature-suite.ts';
export type { Harness, Link } from './harness.ts';
export { patchKafkajs } from '../src/kafka/patch-kafkajs.ts';
