import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import type { ReactionDefinition } from '@parley/event-log';
import { currentContext, runInContext } from '@parley/service';
import { SETTLE_GROUP } from '../../application/expiry.ts';
import type { createSettle } from '../../application/settle.ts';

/** OrderPaid takes the held units out of the stock, OrderCancelled gives them back. `gatherMs` is its batch window. */
export const onOrder = (
  settle: ReturnType<typeof createSettle>,
  { gatherMs }: { readonly gatherMs: number },
): ReactionDefinition<OrderEvent> => ({
  group: SETTLE_GROUP,
  topic: orderEvents,
  types: ['OrderPaid', 'OrderCancelled'],
  gatherMs,
  handle: (event, { signal, attempt }) =>
    runInContext({ correlationId: event.correlationId, signal }, () =>
      settle(event, { attempt, correlationId: currentContext().correlationId }),
    ),
});
