import type { ShippingEvent } from '@parley/contracts/events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CARRIER, dispatchShipment, trackingNumberOf, type DispatchShipment } from './decide.ts';
import { evolve, noShipment } from './shipment.ts';

const command: DispatchShipment = {
  shipmentId: '00000000-0000-4000-8000-0000000000dd',
  requestId: '01234567-89ab-5cde-8f01-23456789abcd',
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  nowMs: 1_000,
};
const dispatched: ShippingEvent = {
  type: 'ShipmentDispatched',
  data: {
    shipmentId: command.shipmentId,
    orderId: command.orderId,
    customerId: 'alice',
    carrier: CARRIER,
    trackingNumber: 'PP8F0123456789ABCD',
    dispatchedAt: 1_000,
  },
};
const fold = (events: readonly ShippingEvent[]) => events.reduce(evolve, noShipment);
const given = (...events: ShippingEvent[]) => ({
  when: (dispatch: DispatchShipment) => dispatchShipment(fold(events), dispatch),
});

describe('dispatchShipment', () => {
  it('dispatches with a tracking number derived from the request', () => {
    expect(given().when(command)).toEqual({ kind: 'events', events: [dispatched] });
  });

  it('adds nothing when the same request comes again', () => {
    expect(given(dispatched).when({ ...command, nowMs: 9_000 })).toEqual({ kind: 'events', events: [] });
  });

  it('refuses to dispatch an order twice under another request', () => {
    expect(
      given(dispatched).when({ ...command, shipmentId: '00000000-0000-4000-8000-0000000000ee' }),
    ).toEqual({
      kind: 'refused',
      rejection: { type: 'AlreadyDispatched', orderId: command.orderId, shipmentId: command.shipmentId },
    });
  });

  it('dispatches an order at most once, whatever requests arrive in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('s1', 's2', 's3'), { minLength: 1, maxLength: 20 }),
        (shipmentIds) => {
          const events: ShippingEvent[] = [];
          for (const shipmentId of shipmentIds) {
            const decision = dispatchShipment(fold(events), { ...command, shipmentId });
            if (decision.kind === 'events') events.push(...decision.events);
          }
          expect(events.map((event) => event.data.shipmentId)).toEqual([shipmentIds[0]]);
        },
      ),
      { seed: 4103 },
    );
  });
});

describe('trackingNumberOf', () => {
  it('is the same for every repetition of a request, and is made of 64 bits of its id', () => {
    fc.assert(
      fc.property(fc.uuid(), (requestId) => {
        expect(trackingNumberOf(requestId)).toMatch(/^PP[0-9A-F]{16}$/);
        expect(trackingNumberOf(requestId)).toBe(trackingNumberOf(requestId));
        expect(
          requestId.replaceAll('-', '').endsWith(trackingNumberOf(requestId).slice(2).toLowerCase()),
        ).toBe(true);
      }),
      { seed: 4104 },
    );
  });
});

describe('evolve', () => {
  it('throws on a second dispatch, which decide never makes', () => {
    expect(() => fold([dispatched, dispatched])).toThrow(
      'ShipmentDispatched of a shipment that is DISPATCHED',
    );
  });
});
