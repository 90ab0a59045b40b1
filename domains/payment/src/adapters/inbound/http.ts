import { formatPosition, type LogPosition } from '@parley/contracts/consistency';
import type { ErrorCode } from '@parley/contracts/errors';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderId, PaymentRequest, type VoidedPayment } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import type { PaymentRow } from '@parley/projection-payments';
import { currentContext, type Service } from '@parley/service';
import { z } from 'zod';
import type { LogFailure, Pay, PayOutcome, Void } from '../../application/pay.ts';
import { resourceOfPayment, resourceOfRow } from './resource.ts';

interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly retryAfterSeconds?: number;
}

/** What a caller learns of a payment that the log did not confirm. */
const refusalOf = (failure: LogFailure, retryAfterSeconds: number): Refusal => {
  switch (failure.kind) {
    case 'conflict':
      return { code: 'CONFLICT', detail: `Lost ${failure.attempts} times against other instances.` };
    case 'rejected':
      return { code: 'INTERNAL', detail: `The log refused the payment: ${failure.reason}.` };
    case 'unknown':
      return {
        code: 'LOG_UNAVAILABLE',
        detail: 'The payment may be in the log; the same request is safe to repeat.',
        retryAfterSeconds,
      };
    case 'unavailable':
      return {
        code: failure.reason === 'queue-full' ? 'OVERLOADED' : 'LOG_UNAVAILABLE',
        detail: `Nothing was written: ${failure.reason}.`,
        retryAfterSeconds,
      };
  }
};

/** What a caller learns of a payment that its order's stream refuses. */
const ofRejection = (rejection: Extract<PayOutcome, { kind: 'refused' }>['rejection']): Refusal => {
  switch (rejection.type) {
    case 'TermsDiffer':
      return {
        code: 'CONFLICT',
        detail: `The order has a payment on other terms (${rejection.fields.join(', ')}).`,
      };
    case 'PaymentIsVoid':
      return { code: 'PAYMENT_VOIDED', detail: 'It has no payment and never will have one.' };
  }
};

const Params = z.object({ orderId: OrderId });

/** Of one request. */
type Context = Parameters<Service<ErrorCode>['problem']>[0];

/** Mounts the REST edge. */
export const mountHttp = (
  service: Service<ErrorCode>,
  deps: {
    readonly pay: Pay;
    readonly voidPayment: Void;
    readonly payments: Pick<View<PaymentRow>, 'get'>;
    /** Where the last event of an order's payment lies; undefined when there is none. */
    readonly positionOf: (orderId: string) => LogPosition | undefined;
    /** When a caller may ask again after the log did not confirm. */
    readonly retryAfterSeconds: number;
  },
): void => {
  const failed = (c: Context, failure: LogFailure): Response => {
    const { code, ...options } = refusalOf(failure, deps.retryAfterSeconds);
    return service.problem(c, code, options);
  };
  const tellPosition = (c: Context, orderId: string): void => {
    const position = deps.positionOf(orderId);
    if (position !== undefined) c.header(httpHeaders.position, formatPosition(position));
  };

  service.http.post('/api/v1/payments', service.body(PaymentRequest), async (c) => {
    const { correlationId } = currentContext();
    const request = c.req.valid('json');
    const outcome = await deps.pay(request, { correlationId });
    switch (outcome.kind) {
      case 'settled': {
        tellPosition(c, request.orderId);
        return c.json(resourceOfPayment(outcome.payment), 201);
      }
      case 'refused': {
        const { code, ...options } = ofRejection(outcome.rejection);
        return service.problem(c, code, { ...options, orderId: outcome.rejection.orderId });
      }
      case 'failed':
        return failed(c, outcome.failure);
    }
  });

  service.http.post('/api/v1/payments/:orderId/void', service.param(Params), async (c) => {
    const { correlationId } = currentContext();
    const { orderId } = c.req.valid('param');
    const outcome = await deps.voidPayment(orderId, { correlationId });
    if (outcome.kind === 'failed') return failed(c, outcome.failure);
    tellPosition(c, orderId);
    const body: VoidedPayment =
      outcome.kind === 'voided'
        ? { orderId, voided: true }
        : { orderId, voided: false, payment: resourceOfPayment(outcome.payment) };
    return c.json(body, 200);
  });

  service.http.get('/api/v1/payments/:orderId', service.user, service.param(Params), (c) => {
    const row = deps.payments.get(c.req.valid('param').orderId);
    // Another customer's payment is not told apart from none.
    return row?.customerId === c.get('userId')
      ? c.json(resourceOfRow(row))
      : service.problem(c, 'PAYMENT_NOT_FOUND');
  });
};
