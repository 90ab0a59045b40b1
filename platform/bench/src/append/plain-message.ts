/** The record that an append of a tick makes, as a plain producer writes it: same key, headers and sizes. */
import { randomBytes, randomUUID } from 'node:crypto';
import avsc from 'avsc';
import type { Message } from 'kafkajs';
import { tick, tickSchema } from '../ticks.ts';

export const PARTITIONS = 4;
const avro = avsc.Type.forSchema(tickSchema);
/** Magic byte and schema id. */
const PREFIX = Buffer.alloc(5);
/** As large as the log's commit header. */
const COMMIT = randomBytes(44);

export function plainMessage(index: number): Message {
  const streamId = `tick-${randomUUID()}`;
  return {
    key: streamId,
    value: Buffer.concat([PREFIX, avro.toBuffer(tick(index).data)]),
    partition: index % PARTITIONS,
    headers: {
      ce_specversion: '1.0',
      ce_source: '/parley/bench',
      ce_time: new Date().toISOString(),
      ce_subject: streamId,
      'correlation-id': 'bench',
      ce_id: randomUUID(),
      ce_type: 'Ticked',
      'parley-commit': COMMIT,
    },
  };
}
