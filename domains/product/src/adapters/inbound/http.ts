import type { ErrorCode } from '@parley/contracts/errors';
import {
  InventoryQuery,
  ProductId,
  ProductQuery,
  type InventoryResource,
  type ProductPage,
  type ProductResource,
} from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import {
  checkInventory,
  createProductsGraphql,
  listProducts,
  type ProductRow,
} from '@parley/projection-products';
import type { Service } from '@parley/service';
import { z } from 'zod';

const resourceOf = (row: ProductRow): ProductResource => ({
  productId: row.productId,
  name: row.name,
  description: row.description,
  category: row.category,
  price: { amountMinor: row.priceMinor, currency: row.currency },
  stock: row.available,
});

const UNSUPPORTED_MEDIA_TYPE = 415;
const Params = z.object({ productId: ProductId });

/** One row more than asked for tells whether there is a next page. */
const pageOf = (view: View<ProductRow>, query: z.output<typeof ProductQuery>): ProductPage => {
  const rows = listProducts(view, { ...query, limit: query.limit + 1 });
  const items = rows.slice(0, query.limit).map(resourceOf);
  const last = items.at(-1);
  return rows.length > query.limit && last !== undefined ? { items, nextAfter: last.productId } : { items };
};

/** Mounts the REST and GraphQL edges, both reads of the same projection. */
export const mountHttp = (
  service: Service<ErrorCode>,
  { view }: { readonly view: View<ProductRow> },
): void => {
  service.http.get('/api/v1/products', service.query(ProductQuery), (c) =>
    c.json(pageOf(view, c.req.valid('query'))),
  );
  service.http.get('/api/v1/products/:productId', service.param(Params), (c) => {
    const row = view.get(c.req.valid('param').productId);
    return row === undefined ? service.problem(c, 'PRODUCT_NOT_FOUND') : c.json(resourceOf(row));
  });
  service.http.get(
    '/api/v1/products/:productId/inventory',
    service.param(Params),
    service.query(InventoryQuery),
    (c) => {
      const { productId } = c.req.valid('param');
      const checked = checkInventory(view, { productId, quantity: c.req.valid('query').quantity });
      return checked === undefined
        ? service.problem(c, 'PRODUCT_NOT_FOUND')
        : c.json(checked satisfies InventoryResource);
    },
  );
  const graphql = createProductsGraphql({ view, log: service.logger });
  service.http.on(['GET', 'POST'], '/graphql', async (c) => {
    const { method, url, headers } = c.req.raw;
    const body = method === 'POST' ? { body: await c.req.text() } : {}; // the service has read it already
    const answer = await graphql(new Request(url, { method, headers, ...body }));
    if (answer.status !== UNSUPPORTED_MEDIA_TYPE) return answer;
    const detail = 'A GraphQL request is sent as application/json.';
    return service.problem(c, 'UNSUPPORTED_MEDIA_TYPE', { detail });
  });
};
