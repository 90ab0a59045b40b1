import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INT32_MAX } from '@parley/contracts/limits';
import { ProductId } from '@parley/contracts/rest';
import { z } from 'zod';
import type { SeedProduct } from '../../application/seed.ts';

/** The first catalogue, with nothing in it that a protocol cannot carry. */
export const Seed = z.array(
  z.strictObject({
    productId: ProductId,
    name: z.string().min(1).max(100),
    description: z.string().min(1).max(300),
    category: z.string().regex(/^[a-z]{1,64}$/),
    priceMinor: z.int().positive().max(INT32_MAX),
    currency: z.string().regex(/^[A-Z]{3}$/),
    initialStock: z.int().nonnegative().max(INT32_MAX),
  }),
);

/** The catalogue of `seed.json`. Throws when the file is not what it should be. */
export const readSeed = (): readonly SeedProduct[] =>
  Seed.parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../../seed.json'), 'utf8')));
