/**
 * The parts of the log for tools that read it from outside: bounded readers, inspectors, replays. A service uses
 * `index.ts` only; what is here promises less and may change with the log.
 */
export type { Judged, StreamHead, Verdict } from './arbitration/arbiter.ts';
export { fromKey, type CommitHeader } from './arbitration/commit-header.ts';
export { AvroCodec, type SchemaStore } from './avro/codec.ts';
export { eventIdOf } from './ids.ts';
export { kafkaClient } from './kafka/client.ts';
export { registryStore } from './kafka/registry.ts';
export { KafkaTransport } from './kafka/transport.ts';
export { canonical } from './log/canonical.ts';
export { commitHeaderOf, headerText } from './log/recorded-event.ts';
export { partitionOf } from './log/partition-of.ts';
export { TopicFold, type FoldTarget } from './log/topic-fold.ts';
export type { RawRecord } from './log/transport.ts';
export { MemoryView } from './log/view.ts';
