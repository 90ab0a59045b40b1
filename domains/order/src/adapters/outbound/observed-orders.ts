import { attribute, metricDefinitions } from '@parley/contracts/telemetry';
import type { Command } from '@parley/event-log';
import { counterOf, histogramOf, type Logger } from '@parley/service';
import type { OrderEvent } from '@parley/contracts/events';
import type { Orders } from '../../application/advance.ts';
import type { OrderState } from '../../core/order.ts';

/**
 * The orders, every change of status of which this instance brings about is counted and is a log line with the order's
 * id; the time from creation to SHIPPED is recorded. A command that was accepted before changes nothing again.
 */
export const observedOrders = (
  orders: Orders,
  { logger, now }: { readonly logger: Pick<Logger, 'info'>; readonly now: () => number },
): Orders => {
  const transitions = counterOf(metricDefinitions.orderTransitions);
  const timeToShipped = histogramOf(metricDefinitions.timeToShipped);
  const tell = (state: OrderState): void => {
    if (state.status === 'NONE') return;
    const { orderId, createdAtMs } = state.placed;
    transitions.add(1, { [attribute.orderStatus]: state.status });
    if (state.status === 'SHIPPED') timeToShipped.record(Math.max(0, now() - createdAtMs) / 1_000);
    logger.info({ orderId, orderStatus: state.status }, 'order changed its status');
  };
  return {
    load: (streamId) => orders.load(streamId),
    execute: async <R>(command: Command<OrderState, OrderEvent, R>) => {
      let before: OrderState['status'] | undefined;
      const outcome = await orders.execute<R>({
        ...command,
        decide: (state, version) => {
          before = state.status;
          return command.decide(state, version);
        },
      });
      if (outcome.kind === 'accepted' && outcome.state.status !== before) tell(outcome.state);
      return outcome;
    },
  };
};
