import {
  Client,
  credentials,
  Metadata,
  status,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  ProductServiceService,
  type CheckInventoryRequest,
  type CheckInventoryResponse,
} from '@parley/contracts/grpc/product';
import { PaymentResource, Problem, ProductPage, ProductResource } from '@parley/contracts/rest';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { readStack } from '../stack.ts';

const stack = readStack();
const { gateway, product, payment } = stack.endpoints;
const deadlineMs = 60_000;

const grpc = new Client(product.grpc, credentials.createInsecure());
afterAll(() => {
  grpc.close();
});

const unary = <Request, Response>(
  method: MethodDefinition<Request, Response>,
  request: Request,
): Promise<Response> =>
  new Promise((resolve, reject) => {
    grpc.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      { deadline: Date.now() + deadlineMs },
      (error, response) => {
        if (error !== null) reject(error);
        else if (response === undefined) reject(new Error('neither an answer nor an error'));
        else resolve(response);
      },
    );
  });
const checkInventory = (request: CheckInventoryRequest): Promise<CheckInventoryResponse> =>
  unary(ProductServiceService.checkInventory, request);

const graphql = async (query: string): Promise<unknown> => {
  const answer = await ask(`${gateway.url}/graphql`, { method: 'POST', body: { query } });
  expect(answer.status).toBe(200);
  return z.object({ data: z.unknown() }).strict().parse(answer.body).data;
};

const someProduct = async (): Promise<ProductResource> => {
  const answer = await ask(`${gateway.url}/api/v1/products?limit=100`);
  const found = ProductPage.parse(answer.body).items.find((item) => item.stock >= 1_000);
  if (found === undefined) throw new Error('no product with enough stock');
  return found;
};

describe('gRPC', () => {
  it('product answers an inventory check with the right status and details (US1.1, FR-002)', async (context) => {
    const expected = await someProduct();
    const { productId } = expected;
    const enough = await checkInventory({ productId, quantity: 1 });
    const tooMuch = await checkInventory({ productId, quantity: expected.stock + 1_000_000 });
    expect(enough.inStock).toBe(true);
    expect(tooMuch.inStock).toBe(false);
    expect(enough.product).toMatchObject({
      productId,
      name: expected.name,
      description: expected.description,
      category: expected.category,
      currency: expected.price.currency,
    });
    expect(Number(enough.product?.priceMinor)).toBe(expected.price.amountMinor);
    const unknown = await checkInventory({ productId: 'no-such-product', quantity: 1 }).then(
      () => undefined,
      (error: unknown) => error as ServiceError,
    );
    expect(unknown?.code).toBe(status.NOT_FOUND);
    expect(unknown?.metadata.get('parley-code')).toEqual(['PRODUCT_NOT_FOUND']);
    evidence(context, ['US1.1', 'FR-002'], {
      productId,
      name: enough.product?.name,
      availableQuantity: enough.product?.availableQuantity,
      inStock: { one: enough.inStock, tooMany: tooMuch.inStock },
      unknownProduct: { grpcStatus: unknown?.code, parleyCode: unknown?.metadata.get('parley-code')[0] },
    });
  });
});

describe('REST', () => {
  it('payment confirms a payment with its status, and the same one again (US1.2, FR-001)', async (context) => {
    const customer = await Customer.of(stack, 'rest');
    const { productId } = await someProduct();
    const placed = await customer.ordered({ productId, quantity: 1 });
    const order = await customer.status(placed.orderId, 'SHIPPED', 120_000); // also one whose payment was due at first
    const { orderId, customerId, amount } = order;
    const paid = await customer.read(`/api/v1/payments/${orderId}`, PaymentResource);
    expect(paid).toMatchObject({ paymentId: order.paymentId, amount, status: 'COMPLETED' });

    // What order asked of payment, asked again: idempotent by order id, so nothing is paid twice.
    const url = `${payment.http}/api/v1/payments`;
    const again = await ask(url, { method: 'POST', body: { orderId, customerId, amount } });
    expect(again.status).toBe(201);
    expect(again.headers.get('content-type')).toMatch(/^application\/json/);
    expect(PaymentResource.parse(again.body)).toEqual(paid);
    const invalid = await ask(url, { method: 'POST', body: { orderId, customerId, amount: -1 } });
    expect([invalid.status, Problem.parse(invalid.body).code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(invalid.headers.get('content-type')).toBe('application/problem+json');
    evidence(context, ['US1.2', 'FR-001'], {
      orderId,
      confirmation: PaymentResource.parse(again.body),
      statuses: { confirmed: again.status, invalid: invalid.status },
      latencyMs: again.latencyMs,
    });
  });
});

describe('GraphQL', () => {
  it('returns the fields that were asked for and no other (US1.3, US8.1, FR-003)', async (context) => {
    const expected = await someProduct();
    const data = await graphql(
      `{ product(productId: "${expected.productId}") { name price { amountMinor } stock } }`,
    );
    const { stock } = z.object({ product: z.object({ stock: z.int() }) }).parse(data).product;
    expect(data).toEqual({
      product: { name: expected.name, price: { amountMinor: expected.price.amountMinor }, stock },
    });
    evidence(context, ['US1.3', 'US8.1', 'FR-003'], { productId: expected.productId, data });
  });

  it('filters by category and returns at most the limit (US1.4, FR-003)', async (context) => {
    const List = z.object({ products: z.array(z.object({ productId: z.string(), category: z.string() })) });
    const { categories } = z
      .object({ categories: z.array(z.string()).min(4) })
      .parse(await graphql('{ categories }'));
    const found: Record<string, { all: number; limited: number }> = {};
    for (const category of categories) {
      const list = async (limit: number) =>
        List.parse(
          await graphql(`{ products(category: "${category}", limit: ${limit}) { productId category } }`),
        ).products;
      const all = await list(100);
      const limited = await list(2);
      expect(new Set(all.map((item) => item.category))).toEqual(new Set([category]));
      expect(limited).toEqual(all.slice(0, 2));
      found[category] = { all: all.length, limited: limited.length };
    }
    const total = List.parse(await graphql('{ products(limit: 100) { productId category } }')).products
      .length;
    expect(Object.values(found).reduce((sum, { all }) => sum + all, 0)).toBe(total);
    evidence(context, ['US1.4', 'FR-003'], { categories: found, total, limit: 2 });
  });
});

it('REST, gRPC and GraphQL tell the same of a product (SC-001)', async (context) => {
  const { productId } = await someProduct();
  const rest = ProductResource.parse((await ask(`${gateway.url}/api/v1/products/${productId}`)).body);
  const overGrpc = (await unary(ProductServiceService.getProduct, { productId })).product;
  const { product: overGraphql } = z
    .object({ product: ProductResource })
    .parse(
      await graphql(
        `{ product(productId: "${productId}") { productId name description category price { amountMinor currency } stock } }`,
      ),
    );
  expect({ ...overGraphql, stock: 0 }).toEqual({ ...rest, stock: 0 });
  expect({
    productId: overGrpc?.productId,
    name: overGrpc?.name,
    description: overGrpc?.description,
    category: overGrpc?.category,
    price: { amountMinor: Number(overGrpc?.priceMinor), currency: overGrpc?.currency },
    stock: 0,
  }).toEqual({ ...rest, stock: 0 });
  evidence(context, ['SC-001'], {
    rest: { contentType: 'application/json', product: rest },
    grpc: { contentType: 'application/grpc', availableQuantity: overGrpc?.availableQuantity },
    graphql: { contentType: 'application/json', product: overGraphql },
  });
});
