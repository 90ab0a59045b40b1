export * from './feature-suite.ts';
export { patchKafkajs } from '../src/kafka/patch-kafkajs.ts';
