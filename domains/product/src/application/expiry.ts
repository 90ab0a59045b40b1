import { deriveId, type EventLogHealth, type View } from '@parley/event-log';
import { expireReservations } from '../core/decide.ts';
import { describeFailure, type Products } from './aggregate.ts';
import type { OrderRow } from './orders.ts';
import type { Log } from './settle.ts';

/** The consumer group that settles the stock of orders. */
export const SETTLE_GROUP = 'parley.product.on-order';

const HOLDS_MAX = 100;
const COMMITS_MAX = 50;
const LAG_MAX = 100;

export interface ExpiryDependencies {
  readonly products: Products;
  readonly orders: Pick<View<OrderRow>, 'get'>;
  readonly health: () => EventLogHealth;
  readonly log: Log;
  readonly now: () => number;
}

/**
 * Whether payments reach this service: only then does silence about an order mean that it was not paid. A reaction
 * with a little lag is at work; the projection of orders, which is never behind it, covers what it has not handled.
 */
const followsOrders = (health: EventLogHealth): boolean => {
  const reaction = health.reactions.find(({ group }) => group === SETTLE_GROUP);
  return (
    health.ready && reaction?.joined === true && reaction.stalled === undefined && reaction.lag <= LAG_MAX
  );
};

/**
 * Gives back holds past their time, at most 50 commits of 100 holds a sweep. Never touches the hold of an order that
 * is known to be paid, and does nothing while the reaction on orders is stalled, lags or has
 * lost its partitions. Answers how many it released.
 */
export const createExpiry =
  ({ products, orders, health, log, now }: ExpiryDependencies) =>
  async (): Promise<number> => {
    let commits = 0;
    let holds = 0;
    for (const streamId of products.streamIds()) {
      if (commits >= COMMITS_MAX || !followsOrders(health())) break;
      const command = {
        now: now(),
        holdsMax: HOLDS_MAX,
        mayExpire: (orderId: string) => orders.get(orderId)?.status !== 'paid',
      };
      const { state, version } = products.load(streamId);
      const due = expireReservations(state, command);
      if (due.kind === 'refused' || due.events.length === 0) continue;
      commits += 1;
      const outcome = await products.execute({
        streamId,
        commandId: deriveId('expire-reservations', streamId, String(version)),
        decide: (newer) => expireReservations(newer, command),
        metadata: { correlationId: deriveId('expire-reservations', streamId, String(version)) },
      });
      switch (outcome.kind) {
        case 'accepted':
          holds += due.events.length;
          break;
        case 'duplicate':
        case 'unchanged':
        case 'refused':
          break;
        case 'conflict':
        case 'rejected':
        case 'unavailable':
        case 'unknown':
          log.warn({ streamId, reason: describeFailure(outcome) }, 'holds could not be given back');
      }
    }
    if (holds > 0) log.info({ holds }, 'holds past their time were given back');
    return holds;
  };
