import { parsePositions } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { InventoryResource, Problem, ProductPage, ProductResource } from '@parley/contracts/rest';
import { openMemoryLog, type EventLog } from '@parley/event-log';
import { productsProjection } from '@parley/projection-products';
import { testService } from '@parley/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { productAggregate, streamOf } from '../../application/aggregate.ts';
import { seedProducts } from '../../application/seed.ts';
import { createStock } from '../../application/stock.ts';
import { readSeed, Seed } from '../outbound/seed-file.ts';
import { productGrpc } from './grpc.ts';
import { mountHttp } from './http.ts';

const orderId = '00000000-0000-4000-8000-000000000001';
const now = (): number => 1_000_000;
const log: EventLog = openMemoryLog();
const products = log.aggregate(productAggregate);
const view = log.project(productsProjection);
const service = testService({
  name: 'product',
  errors: errorCatalog,
});
mountHttp(service, { view });
const grpc = productGrpc({
  stock: createStock({ products, now }),
  view,
  positionOf: (productId) => products.load(streamOf(productId)).position,
});
const ahead = new Map<string, string>();
const call = {
  signal: new AbortController().signal,
  deadlineAtMs: 0,
  respondWith: (key: string, value: string) => void ahead.set(key, value),
};

beforeAll(async () => {
  await log.start();
  await seedProducts({ products, now }, readSeed());
});
afterAll(() => log.close());

const get = async (path: string): Promise<Response> => service.http.request(path);

it('an inventory check says the same over REST, gRPC and GraphQL', async () => {
  const [product] = readSeed();
  const productId = product?.productId ?? '';
  for (const quantity of [1, 2_147_483_647]) {
    const rest = await service.http.request(`/api/v1/products/${productId}/inventory?quantity=${quantity}`);
    const checked = InventoryResource.parse(await rest.json());
    const overGrpc = await grpc.checkInventory({ productId, quantity }, call);
    const query = `{ checkInventory(productId: "${productId}", quantity: ${quantity}) { productId quantity available inStock } }`;
    const body = JSON.stringify({ query });
    const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
    const overGraphql = await service.http.request('/graphql', { method: 'POST', headers, body });
    expect(await overGraphql.json()).toEqual({ data: { checkInventory: checked } });
    expect(overGrpc.inStock).toBe(checked.inStock);
    expect(overGrpc.product?.availableQuantity).toBe(checked.available);
    expect(checked.inStock).toBe(quantity === 1);
  }
});

it.each(['', '?quantity=0', '?quantity=1e1', '?quantity=2147483648'])(
  'an inventory check over REST with the query "%s" is refused',
  async (query) => {
    const answer = await service.http.request(`/api/v1/products/cup/inventory${query}`);
    expect(Problem.parse(await answer.json())).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  },
);

it('a GraphQL request of another media type is refused with a problem', async () => {
  const body = JSON.stringify({ query: '{ categories }' });
  const headers = { 'content-type': 'application/vnd.api+json', 'content-length': String(body.length) };
  const answer = await service.http.request('/graphql', { method: 'POST', headers, body });
  expect(answer.status).toBe(415);
  expect(Problem.parse(await answer.json())).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
});

describe('REST', () => {
  it('pages through every product exactly once, in the order of their ids', async () => {
    const ids: string[] = [];
    let after = '';
    for (let pages = 0; pages < 10; pages += 1) {
      const response = await get(`/api/v1/products?limit=7${after}`);
      const page = ProductPage.parse(await response.json());
      ids.push(...page.items.map(({ productId }) => productId));
      if (page.nextAfter === undefined) break;
      after = `&after=${page.nextAfter}`;
    }
    expect(ids).toEqual(
      readSeed()
        .map(({ productId }) => productId)
        .sort(),
    );
  });
  it('restricts to a category', async () => {
    const page = ProductPage.parse(await (await get('/api/v1/products?category=audio&limit=100')).json());
    expect(page.items.length).toBeGreaterThan(0);
    expect(new Set(page.items.map(({ category }) => category))).toEqual(new Set(['audio']));
  });
  it('answers one product with its stock', async () => {
    const product = ProductResource.parse(await (await get('/api/v1/products/cinder-earbuds')).json());
    expect(product).toMatchObject({ stock: 100_000, price: { amountMinor: 5_900, currency: 'EUR' } });
  });
  it.each([
    ['/api/v1/products/none', 404, 'PRODUCT_NOT_FOUND'],
    ['/api/v1/products/..%2f', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=0', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=101', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=1e1', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=0x10', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=%2010', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=10%20', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=%2B10', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=010', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=10.0', 400, 'VALIDATION_FAILED'],
    ['/api/v1/products?limit=', 400, 'VALIDATION_FAILED'],
  ])('refuses %s with %i %s', async (path, status, code) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(Problem.parse(await response.json()).code).toBe(code);
  });
});

describe('the seed', () => {
  it('is refused with a price that GraphQL cannot carry, naming the field', () => {
    const [first] = readSeed();
    const refused = Seed.safeParse([{ ...first, priceMinor: 2_500_000_000 }]);
    expect(refused.error?.issues.map(({ path }) => path.join('.'))).toEqual(['0.priceMinor']);
  });
});

describe('GraphQL', () => {
  it('is served at /graphql', async () => {
    const response = await service.http.request('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ product(productId: "cinder-earbuds") { stock } }' }),
    });
    expect(await response.json()).toEqual({ data: { product: { stock: 100_000 } } });
  });
});

describe('gRPC', () => {
  it('reads a product and its inventory', async () => {
    const found = await grpc.getProduct({ productId: 'cinder-earbuds' }, call);
    expect(found.product).toMatchObject({ priceMinor: 5_900n, availableQuantity: 100_000 });
    const check = { productId: 'lunar-wall-clock', quantity: 4 };
    expect(await grpc.checkInventory(check, call)).toMatchObject({ inStock: false });
  });
  it('holds and gives back the stock of an order, each once', async () => {
    const request = { orderId, productId: 'lunar-wall-clock', quantity: 2 };
    const held = await grpc.reserveStock(request, call);
    expect(held).toMatchObject({
      reservedQuantity: 2,
      unitPriceMinor: 18_900n,
      currency: 'EUR',
      expiresAtMs: BigInt(now() + 900_000),
    });
    expect(await grpc.reserveStock(request, call)).toEqual(held);
    expect(view.get('lunar-wall-clock')?.available).toBe(1);
    expect(await grpc.releaseStock(request, call)).toEqual({ releasedQuantity: 2 });
    expect(await grpc.releaseStock(request, call)).toEqual({ releasedQuantity: 2 });
    expect(view.get('lunar-wall-clock')?.available).toBe(3);
  });
  it('takes one order id for one order, in whatever case it is written', async () => {
    const id = 'c5461a08-b50f-5908-b15a-a71515952af3';
    const request = { orderId: id, productId: 'lunar-wall-clock', quantity: 1 };
    const before = view.get('lunar-wall-clock')?.available ?? 0;
    const held = await grpc.reserveStock(request, call);
    expect(await grpc.reserveStock({ ...request, orderId: id.toUpperCase() }, call)).toEqual(held);
    expect(view.get('lunar-wall-clock')?.available).toBe(before - 1);
    expect(await grpc.releaseStock({ ...request, orderId: id.toUpperCase() }, call)).toEqual({
      releasedQuantity: 1,
    });
  });
  it('answers each write with the position of its last event', async () => {
    const request = { orderId: orderId.replace(/1$/, '3'), productId: 'cinder-earbuds', quantity: 1 };
    const offsetAfter = async (write: Promise<unknown> | object): Promise<number> => {
      ahead.clear();
      await write;
      const parsed = parsePositions(ahead.get('x-parley-position') ?? '');
      if (parsed.kind === 'invalid') throw new Error(parsed.message);
      const [position] = parsed.positions;
      expect(position?.topic).toBe('parley.product.events');
      return position?.offset ?? -1;
    };
    const held = await offsetAfter(grpc.reserveStock(request, call));
    expect(await offsetAfter(grpc.releaseStock(request, call))).toBe(held + 1);
  });
  it.each([
    ['PRODUCT_NOT_FOUND', { orderId, productId: 'none', quantity: 1 }],
    ['STOCK_SHORT', { orderId: orderId.replace(/1$/, '2'), productId: 'lunar-wall-clock', quantity: 4 }],
    ['VALIDATION_FAILED', { orderId, productId: 'lunar-wall-clock', quantity: 0 }],
    ['VALIDATION_FAILED', { orderId: 'not-a-uuid', productId: 'lunar-wall-clock', quantity: 1 }],
    ['VALIDATION_FAILED', { orderId, productId: '../lunar\n', quantity: 1 }],
    ['VALIDATION_FAILED', { orderId, productId: '', quantity: 1 }],
  ])('refuses with %s', async (code, request) => {
    const asked = (async () => grpc.reserveStock(request, call))();
    await expect(asked).rejects.toMatchObject({ name: 'GrpcRefusal', code });
  });
});
