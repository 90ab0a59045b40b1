/** The events of the orders that benchmarks work on. */
import { randomUUID } from 'node:crypto';
import type { OrderEvent } from '@parley/contracts/events';

/** What becomes of an order that goes well. */
export const EVENTS_PER_ORDER = 4;
const CUSTOMERS = 10_000;
const PRODUCTS = 24;
const FIRST_ORDER_AT_MS = 1_760_000_000_000;

/** From creation to dispatch. Names and amounts follow from the number; ids are random unless `idOf` makes them. */
export function eventsOf(number: number, idOf: () => string = randomUUID): readonly OrderEvent[] {
  const orderId = idOf();
  const at = FIRST_ORDER_AT_MS + number * 7;
  const quantity = 1 + (number % 3);
  const product = number % PRODUCTS;
  const unitPriceMinor = 999 + product * 250;
  return [
    {
      type: 'OrderCreated',
      data: {
        orderId,
        customerId: `customer-${number % CUSTOMERS}`,
        productId: `product-${product}`,
        quantity,
        createdAt: at,
        channel: 'WEB',
        dispatchBy: at + 172_800_000,
      },
    },
    {
      type: 'PaymentStarted',
      data: {
        orderId,
        unitPriceMinor,
        amountMinor: quantity * unitPriceMinor,
        currency: 'EUR',
        reservedUntil: at + 900_000,
        startedAt: at + 6,
      },
    },
    { type: 'OrderPaid', data: { orderId, paymentId: idOf(), paidAt: at + 14 } },
    {
      type: 'OrderShipped',
      data: {
        orderId,
        shipmentId: idOf(),
        carrier: 'Parley Post',
        trackingNumber: `PP${String(number).padStart(10, '0')}`,
        shippedAt: at + 40,
      },
    },
  ];
}
