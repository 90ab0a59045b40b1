import type { OrderCreated } from './generated/events.ts';

/**
 * Brings an event of an older schema to what it means today, where the default of an added field is not the truth.
 * Runs after Avro has resolved the writer's schema to the reader's, and only on events whose writer lacked a field
 * that it fills.
 */
export interface Upcaster {
  /** Fields that a writer of an older schema does not have. */
  readonly fills: readonly string[];
  /** Pure. Gets the event with the defaults in those fields. */
  upcast(data: object): object;
}

const upcaster = <Data extends object>(
  fills: readonly (keyof Data & string)[],
  upcast: (data: Data) => Data,
): Upcaster => ({
  fills,
  upcast: (data) => upcast(data as Data), // the codec calls it for events of its own type only
});

/** What orders of v1 were promised: to be dispatched within two days. A fact about the past that never changes. */
const DISPATCH_PROMISE_V1_MS = 48 * 60 * 60 * 1000;

/** OrderCreated v1 had no `dispatchBy`; the promise was the same for every order. */
export const orderCreatedUpcaster: Upcaster = upcaster<OrderCreated>(['dispatchBy'], (data) => ({
  ...data,
  dispatchBy: data.createdAt + DISPATCH_PROMISE_V1_MS,
}));
