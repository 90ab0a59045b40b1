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

/** How a payment ended that was asked for before, or that there never will be one. */
export type PaymentGivenUp = PaymentAnswer | { readonly kind: 'voided' };

export interface Payments {
  /**
   * Gives up the payment of an order: behind `voided` it can never be paid, whatever is still under way. A payment that
   * it has is answered and stays. Idempotent.
   */
  void(order: { readonly orderId: string }): Promise<PaymentGivenUp>;
  /** Idempotent by order id. `voided`: the payment was given up before, and the order can never be paid. */
  pay(request: {
    readonly orderId: string;
    readonly customerId: string;
    readonly amountMinor: number;
    readonly currency: string;
  }): Promise<PaymentGivenUp>;
}
