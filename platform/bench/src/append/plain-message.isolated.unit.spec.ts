import { randomUUID } from 'node:crypto';
import { createMemoryBroker, openMemoryLog } from '@parley/event-log';
import { expect, it } from 'vitest';
import { tick, tickAggregate, tickTopic } from '../ticks.ts';
import { plainMessage } from './plain-message.ts';

const topic = tickTopic('parley.bench.events');
const sizes = (
  headers: Readonly<Record<string, unknown>> | undefined,
): readonly (readonly [string, number])[] =>
  Object.entries(headers ?? {})
    .map(([name, value]) => [name, Buffer.byteLength(value as string | Buffer)] as const)
    .sort();

it.each([0, 63, 4_999, 19_999])(
  'tick %i appended and sent plainly are records of one shape and size',
  async (index) => {
    const broker = createMemoryBroker();
    const log = openMemoryLog({ broker, service: 'bench' });
    const ticks = log.aggregate(tickAggregate(topic));
    await log.start();
    try {
      const plain = plainMessage(index);
      const outcome = await ticks.execute({
        streamId: String(plain.key),
        commandId: randomUUID(),
        decide: () => ({ kind: 'events', events: [tick(index)] }),
        metadata: { correlationId: 'bench' },
      });
      if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
      const [appended] = broker.records(topic.name, outcome.position.partition);
      expect(appended?.key).toEqual(Buffer.from(String(plain.key)));
      expect(sizes(plain.headers)).toEqual(sizes(appended?.headers));
      // The log's own schema id stands where the plain record has zeros.
      expect((plain.value as Buffer).subarray(5)).toEqual(appended?.value?.subarray(5));
    } finally {
      await log.close();
    }
  },
);
