import { describe, expect, it } from 'vitest';
import { eventTopics } from './topics.ts';
import { orderCreatedUpcaster } from './upcasters.ts';

describe('upcasters', () => {
  it('are for events of their topic and fill fields that have a default', () => {
    for (const { schemas, upcasters } of eventTopics) {
      for (const [type, upcaster] of Object.entries(upcasters ?? {})) {
        for (const name of upcaster.fills) {
          const schema = Object.entries(schemas).find(([other]) => other === type)?.[1];
          const expected = expect.objectContaining({
            name,
            default: expect.anything() as unknown,
          }) as unknown;
          expect(schema, `${type}.${name}`).toHaveProperty('fields', expect.arrayContaining([expected]));
        }
      }
    }
  });

  it('give an order of v1 the promise that every order of v1 had', () => {
    const v1 = { orderId: 'o', customerId: 'c', productId: 'p', quantity: 1, createdAt: 1_000 };
    const upcast = orderCreatedUpcaster.upcast({ ...v1, channel: 'UNKNOWN', dispatchBy: 0 });
    expect(upcast).toEqual({ ...v1, channel: 'UNKNOWN', dispatchBy: 1_000 + 172_800_000 });
  });
});
