import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { ProductServiceService, type ReserveStockResponse } from '@parley/contracts/grpc/product';
import {
  createPolicy,
  currentContext,
  grpcInstances,
  GrpcRefusal,
  runInContext,
  type Service,
  staticResolve,
} from '@parley/service';
import { testService } from '@parley/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { policyDefaults } from '../../config.ts';
import { grpcProducts } from './product.ts';

const request = { orderId: '00000000-0000-4000-8000-000000000001', productId: 'cup', quantity: 2 };
const held: ReserveStockResponse = {
  product: undefined,
  reservedQuantity: 2,
  unitPriceMinor: 500n,
  currency: 'EUR',
  expiresAtMs: 1_000_000n,
};

const stopping: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((stop) => stop()));
});

type Answer = () => ReserveStockResponse | Promise<ReserveStockResponse>;
const unused = (): never => {
  throw new Error('not expected');
};

/** As `peer`, asked by a client that waits for so long. */
const peerWithin = async (timeoutMs: number, ...answers: readonly Answer[]) => {
  const service: Service<ErrorCode> = testService({
    name: 'product',
    errors: errorCatalog,
  });
  const seen: { request: unknown; correlationId: string }[] = [];
  service.grpc.add(ProductServiceService, {
    getProduct: unused,
    checkInventory: unused,
    releaseStock: unused,
    reserveStock: (asked) => {
      seen.push({ request: asked, correlationId: currentContext().correlationId });
      return (answers[Math.min(seen.length, answers.length) - 1] ?? unused)();
    },
  });
  await service.run(() => undefined);
  const products = grpcProducts(
    staticResolve(grpcInstances('product', [`127.0.0.1:${service.ports.grpc ?? 0}`])),
    createPolicy({ name: 'product', ...policyDefaults.product, timeoutMs }),
  );
  stopping.push(() => {
    products.close();
    return service.stop();
  });
  return { service, products, seen };
};
/** A product service on a real socket that answers as told, one answer per call; the last one again and again. */
const peer = (...answers: readonly Answer[]) => peerWithin(5_000, ...answers);

const refuse =
  (code: ErrorCode): Answer =>
  () => {
    throw new GrpcRefusal<ErrorCode>(code, 'why');
  };
const never: Answer = () => new Promise(() => undefined);

describe('holding stock over gRPC', () => {
  it('sends what the contract says under the correlation id of the request', async () => {
    const { products, seen } = await peer(() => held);
    const answer = await runInContext({ correlationId: 'corr-1' }, () => products.reserve(request));
    expect(answer).toEqual({ kind: 'held', unitPriceMinor: 500, currency: 'EUR', expiresAtMs: 1_000_000 });
    expect(seen).toEqual([{ request, correlationId: 'corr-1' }]);
  });

  it.each<[ErrorCode, object, number]>([
    ['PRODUCT_NOT_FOUND', { kind: 'product-unknown' }, 1],
    ['STOCK_SHORT', { kind: 'stock-short' }, 1],
    ['CONFLICT', { kind: 'unavailable', reason: 'peer' }, 3],
    ['VALIDATION_FAILED', { kind: 'unavailable', reason: 'VALIDATION_FAILED' }, 1],
    ['LOG_UNAVAILABLE', { kind: 'unavailable', reason: 'peer' }, 3],
    ['OVERLOADED', { kind: 'unavailable', reason: 'peer' }, 3],
    ['INTERNAL', { kind: 'unavailable', reason: 'peer' }, 1],
  ])('maps %s to %j after %i attempts at most', async (code, expected, attempts) => {
    const { products, seen } = await peer(refuse(code));
    expect(await products.reserve(request)).toEqual(expected);
    expect(seen).toHaveLength(attempts);
  });

  it.each<[string, Partial<ReserveStockResponse>]>([
    ['without a price', { unitPriceMinor: 0n }],
    ['with a price below zero', { unitPriceMinor: -1n }],
    ['with a price beyond exact numbers', { unitPriceMinor: 2n ** 60n }],
    ['without a currency', { currency: '' }],
    ['without an end', { expiresAtMs: 0n }],
    ['of another quantity', { reservedQuantity: 1 }],
  ])('takes a hold %s for no answer', async (_what, over) => {
    const { products } = await peer(() => ({ ...held, ...over }));
    expect(await products.reserve(request)).toEqual({
      kind: 'unavailable',
      reason: 'the answer breaks the contract',
    });
  });

  it('tries again after no answer within its deadline', async () => {
    const { products, seen } = await peerWithin(1_000, never, () => held);
    expect(await products.reserve(request)).toMatchObject({ kind: 'held' });
    expect(seen).toHaveLength(2);
  });

  it('does not open its breaker on refusals, however many, and opens it on failures', async () => {
    const answers = [...Array.from({ length: 20 }, () => refuse('STOCK_SHORT')), refuse('LOG_UNAVAILABLE')];
    const { products, seen } = await peer(...answers);
    for (let n = 0; n < 20; n += 1) expect(await products.reserve(request)).toEqual({ kind: 'stock-short' });
    for (let n = 0; n < 4; n += 1) await products.reserve(request);
    expect(seen).toHaveLength(30);
    expect(await products.reserve(request)).toEqual({ kind: 'unavailable', reason: 'breaker-open' });
  });

  it('finds a peer that is away unreachable', async () => {
    const { service, products } = await peer(() => held);
    await service.stop();
    expect(await products.reserve(request)).toMatchObject({ kind: 'unavailable' });
  });
});
