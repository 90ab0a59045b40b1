import { describe, expect, it } from 'vitest';
import type { Dispatch } from '../../application/dispatch.ts';
import { createOnRequest } from './requests.ts';

const id = '00000000-0000-4000-8000-000000000001';
const request = {
  requestId: id,
  orderId: id,
  customerId: 'alice',
  paymentId: id,
  notificationId: id,
  requestedAt: 1_000,
};
const context = { correlationId: 'test' };
const done: Dispatch = () => Promise.resolve({ kind: 'dispatched', repeated: false });

describe('a shipping request', () => {
  it('is done once dispatched, and once more when it is repeated', async () => {
    expect(await createOnRequest(done)(request, context)).toEqual({ kind: 'done' });
    const repeated = createOnRequest(() => Promise.resolve({ kind: 'dispatched', repeated: true }));
    expect(await repeated(request, context)).toEqual({ kind: 'done' });
  });

  it.each([[undefined], ['text'], [{ ...request, orderId: 'x' }], [{ ...request, extra: 1 }]])(
    'that is not one goes to the dead letters with its reason: %j',
    async (body) => {
      let dispatched = 0;
      const onRequest = createOnRequest((...args) => {
        dispatched += 1;
        return done(...args);
      });
      expect(await onRequest(body, context)).toMatchObject({
        kind: 'dead-letter',
        reason: expect.stringMatching(/^not a ShippingRequested: /) as string,
      });
      expect(dispatched).toBe(0);
    },
  );

  it('for an order that left under another request goes to the dead letters', async () => {
    const onRequest = createOnRequest(() =>
      Promise.resolve({
        kind: 'refused',
        rejection: { type: 'AlreadyDispatched', orderId: id, shipmentId: 's1' },
      }),
    );
    expect(await onRequest(request, context)).toEqual({
      kind: 'dead-letter',
      reason: 'already dispatched as shipment s1',
    });
  });

  it('is asked for again when the log did not confirm', async () => {
    const onRequest = createOnRequest(() => Promise.reject(new Error('unavailable')));
    await expect(onRequest(request, context)).rejects.toThrow('unavailable');
  });
});
