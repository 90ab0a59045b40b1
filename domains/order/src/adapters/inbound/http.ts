import { randomUUID } from 'node:crypto';
import { formatPosition, type LogPosition } from '@parley/contracts/consistency';
import type { ErrorCode } from '@parley/contracts/errors';
import { httpHeaders, idempotencyKeyPattern } from '@parley/contracts/headers';
import { OrderId, PageQuery, PlaceOrderRequest, type OrderPage } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import type { OrderRow } from '@parley/projection-orders';
import { currentContext, type Service } from '@parley/service';
import { z } from 'zod';
import type { LogFailure } from '../../application/advance.ts';
import type { PlaceOrder, PlaceOutcome } from '../../application/place-order.ts';
import type { OrderState } from '../../core/order.ts';
import { resourceAsPaid, resourceOfRow, resourceOfWaiting } from './resource.ts';

const Params = z.object({ orderId: OrderId });

interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly retryAfterSeconds?: number;
  readonly orderId?: string;
}

type Answer =
  | { readonly kind: 'order'; readonly status: 201 | 202; readonly body: object }
  | { readonly kind: 'problem'; readonly refusal: Refusal };

const refused = (refusal: Refusal): Answer => ({ kind: 'problem', refusal });

const ofFailure = (failure: LogFailure, retryAfterSeconds: number): Answer => {
  switch (failure.kind) {
    case 'conflict':
      return refused({ code: 'CONFLICT', detail: `Lost ${failure.attempts} times against other instances.` });
    case 'rejected':
      return refused({ code: 'INTERNAL', detail: `The log refused the order: ${failure.reason}.` });
    case 'unknown': {
      const detail = 'The order may be in the log; the same request with the same Idempotency-Key is safe.';
      return refused({ code: 'LOG_UNAVAILABLE', detail, retryAfterSeconds });
    }
    case 'unavailable': {
      const code = failure.reason === 'queue-full' ? 'OVERLOADED' : 'LOG_UNAVAILABLE';
      const detail = `The order was not recorded: ${failure.reason}.`;
      return refused({ code, detail, retryAfterSeconds });
    }
  }
};

const ofState = (state: OrderState): Answer => {
  switch (state.status) {
    case 'PAID':
    case 'SHIPPED':
      return { kind: 'order', status: 201, body: resourceAsPaid(state) };
    case 'CREATED':
    case 'PAYMENT_PENDING':
      return { kind: 'order', status: 202, body: resourceOfWaiting(state) };
    case 'CANCELLED': {
      const { reason, detail, placed } = state;
      const code = (
        {
          PRODUCT_UNKNOWN: 'PRODUCT_NOT_FOUND',
          STOCK_SHORT: 'STOCK_SHORT',
          PAYMENT_DECLINED: 'PAYMENT_DECLINED',
        } as const
      )[reason];
      return refused({ code, detail, orderId: placed.orderId });
    }
    case 'NONE':
      throw new Error('an order was recorded and is not there');
  }
};

/** What the client that placed an order is told. */
const answerTo = (outcome: PlaceOutcome, retryAfterSeconds: number): Answer => {
  switch (outcome.kind) {
    case 'settled':
    case 'blocked':
    case 'late': // it goes on by itself
      return ofState(outcome.state);
    case 'failed': // the order is recorded all the same, and the recovery loop goes on
      return outcome.failure.kind === 'rejected'
        ? ofFailure(outcome.failure, retryAfterSeconds)
        : ofState(outcome.state);
    case 'not-placed':
      return ofFailure(outcome.failure, retryAfterSeconds);
    case 'key-reused': {
      const detail = 'The key was used for another product, quantity or channel.';
      return refused({ code: 'IDEMPOTENCY_KEY_REUSED', detail });
    }
  }
};

const orderIdOf = (outcome: PlaceOutcome): string | undefined =>
  'state' in outcome && outcome.state.status !== 'NONE' ? outcome.state.placed.orderId : undefined;

export interface HttpDependencies {
  readonly placeOrder: PlaceOrder;
  readonly orders: Pick<View<OrderRow>, 'get' | 'find'>;
  /** Where the order's last event lies; undefined when there is none. */
  readonly positionOf: (orderId: string) => LogPosition | undefined;
  /** When a client may ask again after the log did not confirm. */
  readonly retryAfterSeconds: number;
}

/** Mounts the REST edge. */
export const mountHttp = (service: Service<ErrorCode>, deps: HttpDependencies): void => {
  service.http.post('/api/v1/orders', service.user, service.body(PlaceOrderRequest), async (c) => {
    const customerId = c.get('userId');
    const idempotencyKey = c.req.header(httpHeaders.idempotencyKey) ?? randomUUID();
    if (!idempotencyKeyPattern.test(idempotencyKey)) {
      const message = 'must be 1 to 128 visible ASCII characters';
      return service.problem(c, 'VALIDATION_FAILED', { errors: [{ path: 'Idempotency-Key', message }] });
    }
    const { correlationId } = currentContext();
    const request = { customerId, idempotencyKey, ...c.req.valid('json') };
    const outcome = await deps.placeOrder(request, { correlationId });
    const orderId = orderIdOf(outcome);
    const position = orderId === undefined ? undefined : deps.positionOf(orderId);
    if (position !== undefined) c.header(httpHeaders.position, formatPosition(position));
    const answer = answerTo(outcome, deps.retryAfterSeconds);
    if (answer.kind === 'order') return c.json(answer.body, answer.status);
    const { code, ...options } = answer.refusal;
    return service.problem(c, code, options);
  });

  service.http.get('/api/v1/orders', service.user, service.query(PageQuery), (c) => {
    const customerId = c.get('userId');
    const { limit, after } = c.req.valid('query');
    const rows = deps.orders.find('customer', customerId, {
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const items = rows.slice(0, limit).map(resourceOfRow);
    const last = items.at(-1);
    const body: OrderPage = rows.length > limit && last ? { items, nextAfter: last.orderId } : { items };
    return c.json(body);
  });

  service.http.get('/api/v1/orders/:orderId', service.user, service.param(Params), (c) => {
    const row = deps.orders.get(c.req.valid('param').orderId);
    // Another customer's order is not told apart from none.
    return row?.customerId === c.get('userId')
      ? c.json(resourceOfRow(row))
      : service.problem(c, 'ORDER_NOT_FOUND');
  });
};
