import type { NotificationEvent } from '@parley/contracts/events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageOf, notifyCustomer, type NotifyCustomer } from './decide.ts';
import { evolve, sentAbout, silent } from './notification.ts';

const command: NotifyCustomer = {
  notificationId: '00000000-0000-4000-8000-0000000000bb',
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  paymentId: '00000000-0000-4000-8000-0000000000aa',
  type: 'PAYMENT_COMPLETED',
  nowMs: 1_000,
};
const { nowMs, ...asked } = command;
const sent: NotificationEvent = {
  type: 'NotificationSent',
  data: { ...asked, channel: 'EMAIL', message: messageOf('PAYMENT_COMPLETED', asked.orderId), sentAt: nowMs },
};
const fold = (events: readonly NotificationEvent[]) => events.reduce(evolve, silent);
const given = (...events: NotificationEvent[]) => ({
  when: (notify: NotifyCustomer) => notifyCustomer(fold(events), notify),
});

describe('notifyCustomer', () => {
  it('sends one notification about a payment', () => {
    expect(given().when(command)).toEqual({ kind: 'events', events: [sent] });
  });

  it('adds nothing when repeated, even under another notification id and clock', () => {
    const again = { ...command, notificationId: '00000000-0000-4000-8000-0000000000cc', nowMs: 9_000 };
    expect(given(sent).when(again)).toEqual({ kind: 'events', events: [] });
  });

  it('names neither the customer nor an amount in its text', () => {
    for (const type of ['PAYMENT_COMPLETED', 'PAYMENT_FAILED'] as const) {
      const [event] = given().when({ ...command, type }).events;
      expect(event?.data.message).toBe(messageOf(type, command.orderId));
      expect(event?.data.message).not.toContain(command.customerId);
    }
  });

  it('tells each outcome once and remembers it, whatever repeats in whatever order', () => {
    const notify = fc.record({
      ...Object.fromEntries(Object.entries(command).map(([key, value]) => [key, fc.constant(value)])),
      paymentId: fc.constantFrom('p1', 'p2'),
      type: fc.constantFrom('PAYMENT_COMPLETED', 'PAYMENT_FAILED'),
    });
    fc.assert(
      fc.property(fc.array(notify, { maxLength: 20 }), (commands) => {
        const events: NotificationEvent[] = [];
        for (const each of commands)
          events.push(...notifyCustomer(fold(events), { ...command, ...each }).events);
        const told = new Set(commands.map(({ paymentId, type }) => `${paymentId} ${type}`));
        expect(events).toHaveLength(told.size);
        for (const { paymentId, type } of commands)
          expect(sentAbout(fold(events), paymentId, type)).toBeDefined();
      }),
      { seed: 4102 },
    );
  });
});
