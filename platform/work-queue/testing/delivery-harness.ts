import { errorHeaderNames } from '@parley/delivery';
import type { DeliveryHarness } from '@parley/delivery/testing';
import type { WorkQueueHarness } from './feature-suite.ts';
import { definitionOf, messageOf } from './fixtures.ts';

/** Texts as bodies of messages on a queue of their own. */
export const deliveryHarness = (
  harness: Pick<WorkQueueHarness, 'start' | 'stop' | 'open' | 'deadLetters'>,
): DeliveryHarness => ({
  open: async ({ attempts, handle }) => {
    await harness.start();
    const definition = definitionOf('delivery');
    const queue = harness.open();
    queue.consume(definition, {
      attempts,
      retryDelayMs: 5,
      handle: ({ body, attempt }) => handle(body.toString(), attempt),
    });
    await queue.ready({ signal: AbortSignal.timeout(120_000) });
    const publisher = queue.publisher(definition);
    const dead: Awaited<ReturnType<WorkQueueHarness['deadLetters']>>[number][] = [];
    return {
      send: (text) => publisher.publish(messageOf({ body: Buffer.from(text) })),
      dead: async () => {
        dead.push(...(await harness.deadLetters(definition))); // they are taken from the queue
        return dead.map(({ body, headers }) => ({
          text: body.toString(),
          reason: String(headers[errorHeaderNames.reason]),
          errorClass: String(headers[errorHeaderNames.errorClass]),
          message: String(headers[errorHeaderNames.message]),
          attempts: Number(headers[errorHeaderNames.attempts]),
        }));
      },
      close: async () => {
        await queue.close({ deadlineMs: 1_000 });
        await harness.stop();
      },
    };
  },
});
