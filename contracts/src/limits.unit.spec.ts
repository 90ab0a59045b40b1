import { describe, expect, it } from 'vitest';
import { beyondLimits, INT32_MAX, timestampOf, TIMESTAMP_MS_MAX } from './limits.ts';
import { Timestamp } from './rest/index.ts';

const added = { productId: 'cup', name: 'Cup', description: 'A cup', category: 'cups', currency: 'EUR' };

describe('what every protocol can carry', () => {
  it.each<[string, object, string | undefined]>([
    ['ProductAdded', { ...added, priceMinor: INT32_MAX, addedAt: TIMESTAMP_MS_MAX }, undefined],
    ['ProductAdded', { ...added, priceMinor: 2_500_000_000, addedAt: 1 }, 'priceMinor'],
    ['OrderCreated', { createdAt: 8.64e15 + 1, dispatchBy: 1 }, 'createdAt'],
    ['OrderCreated', { createdAt: 1, dispatchBy: TIMESTAMP_MS_MAX + 1 }, 'dispatchBy'],
    ['OrderPaid', { paidAt: -1 }, 'paidAt'],
    ['SomethingOfANewerRelease', { createdAt: 8.64e15 + 1 }, undefined],
  ])('%s %j: the field beyond its limit is %s', (type, data, field) => {
    expect(beyondLimits({ type, data })?.field).toBe(field);
  });

  it.each([0, 1_700_000_000_000, TIMESTAMP_MS_MAX, TIMESTAMP_MS_MAX + 1, 8.64e15 + 1, -5])(
    'a time of %d ms is written as the contract says',
    (epochMs) => {
      expect(Timestamp.safeParse(timestampOf(epochMs)).success).toBe(true);
    },
  );
});
