import { deriveId } from '@parley/event-log';
import type {
  PaymentAnswer,
  PaymentGivenUp,
  Payments,
  Products,
  Reservation,
} from '../src/application/ports.ts';

/** How the next call of a peer fails: before it did anything, or after, so that only the answer is lost. */
export type Fault = 'before' | 'after';

export const HOLD_MS = 900_000;
export const UNIT_PRICE_MINOR = 500;

const lost = { kind: 'unavailable', reason: 'made to fail' } as const;

const failing = <T>(faults: Fault[], effect: () => T): T | typeof lost => {
  const fault = faults.shift();
  if (fault === 'before') return lost;
  const answer = effect();
  return fault === 'after' ? lost : answer;
};

/** The product service in memory: holds are idempotent by order id, expire, and never exceed the stock. */
export class FakeProducts implements Products {
  readonly faults: Fault[] = [];
  readonly #holds = new Map<string, { readonly quantity: number; readonly expiresAtMs: number }>();
  readonly #now: () => number;
  /** Units that are held or can be. */
  stock: number;
  calls = 0;

  constructor(now: () => number, stock: number) {
    this.#now = now;
    this.stock = stock;
  }

  reserve({ orderId, productId, quantity }: Parameters<Products['reserve']>[0]): Promise<Reservation> {
    this.calls += 1;
    const answer = failing(this.faults, (): Reservation => {
      if (productId !== 'cup') return { kind: 'product-unknown' };
      for (const [id, { expiresAtMs }] of this.#holds) {
        if (expiresAtMs <= this.#now()) this.#holds.delete(id);
      }
      const known = this.#holds.get(orderId);
      const held = [...this.#holds.values()].reduce((sum, hold) => sum + hold.quantity, 0);
      if (known === undefined && held + quantity > this.stock) return { kind: 'stock-short' };
      const hold = known ?? { quantity, expiresAtMs: this.#now() + HOLD_MS };
      this.#holds.set(orderId, hold);
      const { expiresAtMs } = hold;
      return { kind: 'held', unitPriceMinor: UNIT_PRICE_MINOR, currency: 'EUR', expiresAtMs };
    });
    return Promise.resolve(answer);
  }
}

/** The payment service in memory: one payment per order, on one amount for ever, declined above a limit. */
export class FakePayments implements Payments {
  readonly faults: Fault[] = [];
  readonly #settled = new Map<string, { readonly amountMinor: number; readonly answer: PaymentAnswer }>();
  readonly #voided = new Set<string>();
  amountLimitMinor = 1_000_000;
  calls = 0;

  /** Orders whose customers were charged. */
  get charged(): readonly string[] {
    return [...this.#settled].filter(([, { answer }]) => answer.kind === 'completed').map(([id]) => id);
  }

  pay({ orderId, amountMinor }: Parameters<Payments['pay']>[0]): Promise<PaymentGivenUp> {
    this.calls += 1;
    const answer = failing(this.faults, (): PaymentGivenUp => {
      const known = this.#settled.get(orderId);
      if (known !== undefined && known.amountMinor !== amountMinor) {
        throw new Error(`asked for ${amountMinor} of ${orderId}, which was asked for ${known.amountMinor}`);
      }
      if (known !== undefined) return known.answer;
      if (this.#voided.has(orderId)) return { kind: 'voided' };
      const settled: PaymentAnswer =
        amountMinor > this.amountLimitMinor
          ? { kind: 'declined', reason: 'AMOUNT_LIMIT_EXCEEDED' }
          : { kind: 'completed', paymentId: deriveId('payment', orderId) };
      this.#settled.set(orderId, { amountMinor, answer: settled });
      return settled;
    });
    return Promise.resolve(answer);
  }

  void({ orderId }: Parameters<Payments['void']>[0]): Promise<PaymentGivenUp> {
    const answer = failing(this.faults, (): PaymentGivenUp => {
      const settled = this.#settled.get(orderId)?.answer;
      if (settled !== undefined) return settled;
      this.#voided.add(orderId);
      return { kind: 'voided' };
    });
    return Promise.resolve(answer);
  }
}
