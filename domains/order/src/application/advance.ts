import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import {
  deriveId,
  type AggregateDefinition,
  type Aggregates,
  type CommandMetadata,
  type CommandOutcome,
} from '@parley/event-log';
import {
  cancel,
  recordPaid,
  startPayment,
  type Cancel,
  type Decided,
  type Rejection,
} from '../core/decide.ts';
import { nextStep, type NextStep } from '../core/fulfilment.ts';
import { evolve, noOrder, type OrderState, type Placed } from '../core/order.ts';
import type { PaymentAnswer, Payments, Products } from './ports.ts';

export const orderAggregate: AggregateDefinition<OrderState, OrderEvent> = {
  name: 'order',
  topic: orderEvents,
  initial: noOrder,
  evolve,
  module: import.meta.url,
};

export type Orders = Pick<Aggregates<OrderState, OrderEvent>, 'execute' | 'load'>;
export const streamOf = (orderId: string): string => `order-${orderId}`;

/** The log did not confirm. All but `rejected` may be tried again. */
export type LogFailure = Extract<
  CommandOutcome<OrderState, Rejection>,
  { kind: 'conflict' | 'rejected' | 'unavailable' | 'unknown' }
>;

export type Advanced =
  /** As far as this service can bring it: paid, shipped or cancelled. */
  | { readonly kind: 'settled'; readonly state: OrderState }
  /** Another service cannot be reached; the recovery loop goes on later. */
  | {
      readonly kind: 'blocked';
      readonly state: OrderState;
      readonly by: 'product' | 'payment';
      readonly reason: string;
    }
  /** The log did not confirm the next step; `rejected` excepted, the recovery loop goes on later. */
  | { readonly kind: 'failed'; readonly state: OrderState; readonly failure: LogFailure };

/** Brings an order as far as it gets. Safe to call at any time, from anywhere, as often as you like. */
export type Advance = (orderId: string, metadata: CommandMetadata) => Promise<Advanced>;

/** Steps in one call: reserve, pay, and a renewal or two in between. */
const STEPS_MAX = 6;

interface Dependencies {
  readonly orders: Orders;
  readonly products: Products;
  readonly payments: Payments;
  readonly now: () => number;
}

/** One step: what was learnt from others, as a command on the order; or why there is none. */
type Learnt =
  | { readonly kind: 'command'; readonly commandId: string; readonly decide: (state: OrderState) => Decided }
  | { readonly kind: 'blocked'; readonly by: 'product' | 'payment'; readonly reason: string };

const cancelled = (orderId: string, command: Cancel): Learnt => ({
  kind: 'command',
  commandId: deriveId('cancel-order', orderId, command.reason),
  decide: (state) => cancel(state, command),
});

/** What payment said, as a command on the order. */
const learntOf = (orderId: string, answer: PaymentAnswer, nowMs: number): Learnt => {
  switch (answer.kind) {
    case 'completed':
      return {
        kind: 'command',
        commandId: deriveId('record-paid', orderId),
        decide: (state) => recordPaid(state, { paymentId: answer.paymentId, nowMs }),
      };
    case 'declined': {
      const detail = `The payment was declined: ${answer.reason}.`;
      return cancelled(orderId, { reason: 'PAYMENT_DECLINED', detail, nowMs });
    }
    case 'unavailable':
      return { kind: 'blocked', by: 'payment', reason: answer.reason };
  }
};

type StockRefusal = Extract<Cancel, { heldUntilMs: unknown }>;

/**
 * There is no stock for the order. One that never had any is cancelled. When a hold has ended, a payment may have gone
 * through whose answer was lost, or still be on its way to the log: payment gives it up first, and only an order that
 * can never be paid is cancelled.
 */
async function withoutStock(deps: Dependencies, placed: Placed, refusal: StockRefusal): Promise<Learnt> {
  const { orderId } = placed;
  if (refusal.heldUntilMs === undefined) return cancelled(orderId, refusal);
  const answer = await deps.payments.void({ orderId });
  return answer.kind === 'voided' ? cancelled(orderId, refusal) : learntOf(orderId, answer, deps.now());
}

async function reserve(deps: Dependencies, step: Extract<NextStep, { kind: 'reserve' }>): Promise<Learnt> {
  const { placed, heldUntilMs } = step;
  const { orderId, productId, quantity } = placed;
  const answer = await deps.products.reserve({ orderId, productId, quantity });
  const nowMs = deps.now();
  switch (answer.kind) {
    case 'held': {
      const { unitPriceMinor, currency, expiresAtMs: reservedUntilMs } = answer;
      return {
        kind: 'command',
        commandId: deriveId('start-payment', orderId, String(reservedUntilMs)),
        decide: (state) => startPayment(state, { unitPriceMinor, currency, reservedUntilMs, nowMs }),
      };
    }
    case 'product-unknown':
      return withoutStock(deps, placed, {
        reason: 'PRODUCT_UNKNOWN',
        detail: 'There is no such product.',
        nowMs,
        heldUntilMs,
      });
    case 'stock-short':
      return withoutStock(deps, placed, {
        reason: 'STOCK_SHORT',
        detail: 'There is not enough stock.',
        nowMs,
        heldUntilMs,
      });
    case 'unavailable':
      return { kind: 'blocked', by: 'product', reason: answer.reason };
  }
}

/**
 * Asks for the payment. It was given up when an earlier hold had ended and the stock was gone (`withoutStock`), and
 * whoever did that has not come to cancel the order. That there is stock again helps it no more: it can never be paid.
 */
async function pay(deps: Dependencies, step: Extract<NextStep, { kind: 'pay' }>): Promise<Learnt> {
  const { orderId, customerId } = step.placed;
  const { amountMinor, currency, reservedUntilMs: heldUntilMs } = step.due;
  const answer = await deps.payments.pay({ orderId, customerId, amountMinor, currency });
  const nowMs = deps.now();
  if (answer.kind !== 'voided') return learntOf(orderId, answer, nowMs);
  const detail = 'There was not enough stock when its hold had ended, and its payment was given up.';
  return cancelled(orderId, { reason: 'STOCK_SHORT', detail, nowMs, heldUntilMs });
}

async function run(deps: Dependencies, orderId: string, metadata: CommandMetadata): Promise<Advanced> {
  const streamId = streamOf(orderId);
  let { state } = deps.orders.load(streamId);
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    const step = nextStep(state, deps.now());
    if (step.kind === 'none') return { kind: 'settled', state };
    const learnt = step.kind === 'reserve' ? await reserve(deps, step) : await pay(deps, step);
    if (learnt.kind === 'blocked') return { ...learnt, state };
    const { commandId, decide } = learnt;
    const outcome = await deps.orders.execute({ streamId, commandId, decide, metadata });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged':
      case 'refused': // someone else was faster: go on from where the order is
        // From the log and not from the outcome: another instance may have written the same commit a moment earlier and
        // at another time, and the two must not tell the client different things.
        ({ state } = deps.orders.load(streamId));
        break;
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'failed', failure: outcome, state };
    }
    if (
      outcome.kind === 'unchanged' &&
      step.kind === 'reserve' &&
      nextStep(state, deps.now()).kind === 'reserve'
    ) {
      return {
        kind: 'blocked',
        state,
        by: 'product',
        reason: 'the hold ends soon and cannot be renewed yet',
      };
    }
  }
  return { kind: 'blocked', state, by: 'product', reason: `still not settled after ${STEPS_MAX} steps` };
}

/** Calls for one order at the same time share one run. */
export const createAdvance = (deps: Dependencies): Advance => {
  const running = new Map<string, Promise<Advanced>>();
  return (orderId, metadata) => {
    const known = running.get(orderId);
    if (known !== undefined) return known;
    const started = run(deps, orderId, metadata).finally(() => running.delete(orderId));
    running.set(orderId, started);
    return started;
  };
};
