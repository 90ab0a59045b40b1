export * from './counter.ts';
export * from './feature-suite.ts';
export type { Harness, Link } from './harness.ts';
export { recordingLog, type RecordingLog } from './recording-log.ts';
export { patchKafkajs } from '../src/kafka/patch-kafkajs.ts';
export { deriveId } from '../src/ids.ts';
