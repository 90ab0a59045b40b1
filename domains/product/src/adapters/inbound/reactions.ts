import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import type { ReactionDefinition } from '@parley/event-log';
import { currentContext, runInContext } from '@parley/service';
import { SETTLE_GROUP } from '../../application/expiry.ts';
import type { createSettle } from '../../application/settle.ts';

const GATHER_MS = 250;

/** OrderPaid takes the held units out of the stock, OrderCancelled gives them back. */
export const onOrder = (settle: ReturnType<typeof createSettle>): ReactionDefinition<OrderEvent> => ({
  group: SETTLE_GROUP,
  topic: orderEvents,
  types: ['OrderPaid', 'OrderCancelled'],
  gatherMs: GATHER_MS, // nobody waits for it: what is held is out of the stock that others see
  handle: (event, { signal, attempt }) =>
    runInContext({ correlationId: event.correlationId, signal }, () =>
      settle(event, { attempt, correlationId: currentContext().correlationId }),
    ),
});
