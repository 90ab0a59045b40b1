/** What the order service needs of others. Every call has a deadline; an expected refusal is a value. */

export type Reservation =
  | {
      readonly kind: 'held';
      readonly unitPriceMinor: number;
      readonly currency: string;
      readonly expiresAtMs: number;
    }
  | { readonly kind: 'product-unknown' }
  | { readonly kind: 'stock-short' }
  /** Retryable. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Products {
  /** Idempotent by order id. */
  reserve(request: {
    readonly orderId: string;
    readonly productId: string;
    readonly quantity: number;
  }): Promise<Reservation>;
}

export type PaymentAnswer =
  | { readonly kind: 'completed'; readonly paymentId: string }
  | { readonly kind: 'declined'; readonly reason: string }
  /** Retryable. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** How a payment ended that was asked for before. */
export type PaymentFound = PaymentAnswer | { readonly kind: 'none' };

export interface Payments {
  /** The payment of an order, without asking for one. None only when no payment was begun, or one was a moment ago. */
  find(order: { readonly orderId: string; readonly customerId: string }): Promise<PaymentFound>;
  /** Idempotent by order id. */
  pay(request: {
    readonly orderId: string;
    readonly customerId: string;
    readonly amountMinor: number;
    readonly currency: string;
  }): Promise<PaymentAnswer>;
}
