import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProductId } from '@parley/contracts/rest';
import { z } from 'zod';
import type { SeedProduct } from '../../application/seed.ts';

const Seed = z.array(
  z.strictObject({
    productId: ProductId,
    name: z.string().min(1).max(100),
    description: z.string().min(1).max(300),
    category: z.string().regex(/^[a-z]{1,64}$/),
    priceMinor: z.int().positive(),
    currency: z.string().regex(/^[A-Z]{3}$/),
    initialStock: z.int().nonnegative().max(2_147_483_647),
  }),
);

/** The catalogue of `seed.json`. Throws when the file is not what it should be. */
export const readSeed = (): readonly SeedProduct[] =>
  Seed.parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../../seed.json'), 'utf8')));
