/** Kafka header names of an event record: CloudEvents binary attributes, correlation, trace context, arbitration. */
export const logHeaders = {
  specVersion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  subject: 'ce_subject',
  correlationId: 'correlation-id',
  causationId: 'causation-id',
  traceparent: 'traceparent',
  /** Binary, 44 bytes (40 without the history): see arbitration/commit-header.ts. */
  commit: 'parley-commit',
} as const;
