import { deriveId } from '@parley/event-log';
import { addProduct } from '../core/decide.ts';
import { describeFailure, streamOf, type Products } from './aggregate.ts';

/** A product of the first catalogue. */
export interface SeedProduct {
  readonly productId: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly priceMinor: number;
  readonly currency: string;
  readonly initialStock: number;
}

export interface SeedDependencies {
  readonly products: Products;
  readonly now: () => number;
}

/**
 * Adds what is not listed yet, each product with its stock in one commit. Idempotent: by the product's state, and
 * between instances that start together by the command's id. Answers how many it added; rejects when the log fails.
 */
export const seedProducts = async (
  { products, now }: SeedDependencies,
  seed: readonly SeedProduct[],
): Promise<number> => {
  const addedAt = now();
  const outcomes = seed.map(async ({ initialStock, ...product }) => {
    const commandId = deriveId('add-product', product.productId);
    const outcome = await products.execute({
      streamId: streamOf(product.productId),
      commandId,
      decide: (state) => addProduct(state, { details: { ...product, addedAt }, initialStock }),
      metadata: { correlationId: commandId },
    });
    switch (outcome.kind) {
      case 'accepted':
        return 1;
      case 'duplicate':
      case 'unchanged':
      case 'refused':
        return 0;
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        throw new Error(`seeding ${product.productId}: ${describeFailure(outcome)}`);
    }
  });
  return (await Promise.all(outcomes)).reduce<number>((sum, added) => sum + added, 0);
};
