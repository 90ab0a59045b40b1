export type * from './ports.ts';
export { deriveId } from './ids.ts';
export { logHeaders } from './headers.ts';
export { defaultLimits, type LogLimits } from './log/limits.ts';
export type { AsyncHops } from './log/spans.ts';
export { createMemoryBroker, openMemoryLog, type MemoryLogOptions } from './memory/open.ts';
export { openKafkaLog, type KafkaLogOptions } from './kafka/open.ts';
export { SchemaRefused } from './kafka/registry.ts';
