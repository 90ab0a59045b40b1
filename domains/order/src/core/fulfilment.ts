import type { Due, OrderState, Placed } from './order.ts';

/**
 * A hold that ends sooner than this is renewed before payment, so that it cannot end while payment is under way: longer
 * than any attempt to pay may last, with the clocks of two machines apart.
 */
export const HOLD_MARGIN_MS = 60_000;

/** What is due for an order, given what has happened to it. */
export type NextStep =
  /** `heldUntilMs`: when the hold that the order has ends; undefined for the first one. */
  | { readonly kind: 'reserve'; readonly placed: Placed; readonly heldUntilMs: number | undefined }
  | { readonly kind: 'pay'; readonly placed: Placed; readonly due: Due }
  /** Nothing that this service can do: it waits for shipping, or it is over. */
  | { readonly kind: 'none' };

/** The process manager: deterministic, so whoever advances an order, request or recovery, takes the same step. */
export const nextStep = (state: OrderState, nowMs: number): NextStep => {
  switch (state.status) {
    case 'CREATED':
      return { kind: 'reserve', placed: state.placed, heldUntilMs: undefined };
    case 'PAYMENT_PENDING': {
      const { placed, due } = state;
      return nowMs > due.reservedUntilMs - HOLD_MARGIN_MS
        ? { kind: 'reserve', placed, heldUntilMs: due.reservedUntilMs }
        : { kind: 'pay', placed, due };
    }
    case 'NONE':
    case 'PAID':
    case 'SHIPPED':
    case 'CANCELLED':
      return { kind: 'none' };
  }
};
