import type { OrderEvent } from '@parley/contracts/events';
import {
  createMemoryBroker,
  deriveId,
  openMemoryLog,
  type EventLog,
  type LogLimits,
  type View,
} from '@parley/event-log';
import { answerWithinMs } from '@parley/service';
import { orders as ordersProjection, type OrderRow } from '@parley/projection-orders';
import { createAdvance, orderAggregate, type Advance, type Orders } from '../src/application/advance.ts';
import { createPlaceOrder, type OrderRequest, type PlaceOrder } from '../src/application/place-order.ts';
import {
  createRecordShipment,
  unmatchedShipments,
  type RecordShipment,
  type UnmatchedRow,
} from '../src/application/record-shipment.ts';
import type { Payments } from '../src/application/ports.ts';
import { createRecovery, unfinishedOrders } from '../src/application/recovery.ts';
import { FakePayments, FakeProducts } from './peers.ts';

export const metadata = { correlationId: 'test' };
const RECORDED_MAX = 10_000;

/** One process of the order service, without its edges. */
export interface Instance {
  readonly log: EventLog;
  readonly orders: Orders;
  readonly advance: Advance;
  readonly placeOrder: PlaceOrder;
  readonly recordShipment: RecordShipment;
  readonly view: View<OrderRow>;
  readonly unmatched: View<UnmatchedRow>;
  /** What this instance told of shipments that match no order. */
  readonly told: { readonly shipmentId: string; readonly status: string }[];
  /** Orders whose recovery threw. */
  readonly failures: string[];
  readonly sweep: (signal?: AbortSignal) => Promise<number>;
  /** Types of the accepted events of one order, in order. */
  readonly history: (orderId: string) => readonly OrderEvent['type'][];
}

export const request = (over: Partial<OrderRequest> = {}): OrderRequest => ({
  customerId: 'alice',
  productId: 'cup',
  quantity: 2,
  idempotencyKey: 'key-1',
  ...over,
});

/** The order that a request leads to. */
export const orderIdOf = ({ customerId, idempotencyKey }: OrderRequest): string =>
  deriveId('order', customerId, idempotencyKey);

/** A log that instances share, with peers that can be made to fail and a clock that the test moves. */
export const createWorld = (
  options: {
    readonly stock?: number;
    readonly limits?: Partial<LogLimits>;
    /** Instead of the one in memory. */
    readonly payments?: Payments;
  } = {},
) => {
  const broker = createMemoryBroker();
  const clock = { ms: 1_000_000_000 };
  const now = (): number => clock.ms;
  const products = new FakeProducts(now, options.stock ?? 100);
  const payments = new FakePayments();
  const instances = new Set<Instance>();

  const open = async (): Promise<Instance> => {
    const log = openMemoryLog({
      broker,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    const orders = log.aggregate(orderAggregate);
    const view = log.project(ordersProjection);
    const unfinished = log.project(unfinishedOrders);
    const recorded = log.project<{ orderId: string; type: OrderEvent['type'] }, OrderEvent>({
      name: 'recorded',
      topic: orderAggregate.topic,
      key: ({ streamId, version }) => `${streamId} ${String(version).padStart(6, '0')}`,
      fold: (_row, { event }) => ({ orderId: event.data.orderId, type: event.type }),
    });
    const advance = createAdvance({ orders, products, payments: options.payments ?? payments, now });
    const failures: string[] = [];
    const told: { shipmentId: string; status: string }[] = [];
    const unmatched = log.project(unmatchedShipments);
    const sweep = createRecovery({
      giveWay: () => Promise.resolve(),
      unfinished,
      advance,
      onBehalfOf: (_row, fn) => fn(),
      failed: (orderId) => failures.push(orderId),
      now,
    });
    await log.start();
    const instance: Instance = {
      log,
      orders,
      advance,
      view,
      failures,
      unmatched,
      told,
      placeOrder: createPlaceOrder({ orders, advance, now, leftMs: answerWithinMs }),
      recordShipment: createRecordShipment({
        orders,
        advance,
        unmatched: ({ shipmentId }, status) => void told.push({ shipmentId, status }),
        now,
      }),
      sweep: (signal = new AbortController().signal) => sweep(signal),
      history: (orderId) =>
        recorded
          .list({ limit: RECORDED_MAX })
          .filter((row) => row.orderId === orderId)
          .map(({ type }) => type),
    };
    instances.add(instance);
    return instance;
  };

  const close = async (instance: Instance): Promise<void> => {
    instances.delete(instance);
    await instance.log.close({ deadlineMs: 0 });
  };

  return {
    broker,
    clock,
    products,
    payments,
    open,
    close,
    [Symbol.asyncDispose]: async () => {
      for (const instance of [...instances]) await close(instance);
    },
  };
};
