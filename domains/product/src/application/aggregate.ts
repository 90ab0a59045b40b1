import type { ProductEvent } from '@parley/contracts/events';
import { productEvents } from '@parley/contracts/topics';
import type { AggregateDefinition, Aggregates, CommandOutcome } from '@parley/event-log';
import type { Rejection } from '../core/decide.ts';
import { evolve, initialProduct, type Product } from '../core/product.ts';

/** The write side of products: what is sold and what is held of it. */
export const productAggregate: AggregateDefinition<Product, ProductEvent> = {
  name: 'product',
  topic: productEvents,
  initial: initialProduct,
  evolve,
  module: import.meta.url,
};

export type Products = Aggregates<Product, ProductEvent>;

/** The stream of one product. */
export const streamOf = (productId: string): string => `product-${productId}`;

/** Why the log did not confirm. All but `rejected` may be tried again with the same command. */
export type LogFailure = Extract<
  CommandOutcome<Product, Rejection>,
  { kind: 'conflict' | 'rejected' | 'unavailable' | 'unknown' }
>;

/** One sentence about a failure, for logs. */
export const describeFailure = (failure: LogFailure): string => {
  switch (failure.kind) {
    case 'conflict':
      return `lost against other instances ${failure.attempts} times`;
    case 'rejected':
      return `the log refused the commit (${failure.reason}): ${failure.detail}`;
    case 'unavailable':
      return `the log is unavailable (${failure.reason})`;
    case 'unknown':
      return 'the log did not confirm the commit in time';
  }
};
