import { randomUUID } from 'node:crypto';
import type { DeliveryHarness } from '@parley/delivery/testing';
import { counted, counterOf, countedTopic } from './counter.ts';
import { echoLimits, metadata, type Harness } from './harness.ts';

/** Texts as notes of events, each sequence a stream, on a topic of one partition. */
export const deliveryHarness = (make: () => Promise<Harness>): DeliveryHarness => ({
  open: async ({ attempts, handle }) => {
    const harness = await make();
    const topic = { ...countedTopic(`delivery.${randomUUID()}`), partitions: 1 };
    const { log } = harness.open({ limits: echoLimits });
    const counters = log.aggregate(counterOf(topic));
    log.react({
      group: `${topic.name}.group`,
      topic,
      attempts,
      handle: ({ event }, { attempt }) => handle(event.data.note, attempt),
    });
    await log.start();
    return {
      send: async (text, sequence = 's') => {
        const decide = () => ({ kind: 'events' as const, events: [counted(1, text)] });
        await counters.execute({ streamId: sequence, commandId: randomUUID(), decide, metadata });
      },
      dead: async () => {
        const letters = [];
        for (const { id, reason, message, attempts: calls } of await log.deadLetters.list()) {
          const detail = await log.deadLetters.show(id);
          const { note: text } = detail?.decoded as { readonly note: string }; // as it was sent
          letters.push({ text, reason, errorClass: detail?.errorClass ?? '', message, attempts: calls });
        }
        return letters;
      },
      close: async () => {
        await log.close();
        await harness.stop();
      },
    };
  },
});
