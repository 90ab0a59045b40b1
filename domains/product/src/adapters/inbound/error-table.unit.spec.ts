/** The table of errors (contracts/ERRORS.md), row by row, as each protocol of the product service tells it. */
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { ProductServiceService } from '@parley/contracts/grpc/product';
import { Problem } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import { createProductsGraphql, graphqlRefusal, type ProductRow } from '@parley/projection-products';
import { GrpcRefusal } from '@parley/service';
import { testService } from '@parley/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const asked: { code: ErrorCode } = { code: 'INTERNAL' };
const service = testService<ErrorCode>({ name: 'product', errors: errorCatalog });
const refuse = (): never => {
  throw new GrpcRefusal<ErrorCode>(asked.code, 'why');
};
service.http.get('/check', (c) => service.problem(c, asked.code));
service.grpc.add(ProductServiceService, {
  getProduct: refuse,
  checkInventory: refuse,
  releaseStock: refuse,
  reserveStock: refuse,
});
const view = {
  get: () => {
    throw graphqlRefusal(asked.code, 'why');
  },
} as unknown as View<ProductRow>; // the one method that the query uses
const graphql = createProductsGraphql({ view, log: { error: () => undefined } });

let grpc: Client;
beforeAll(async () => {
  await service.run(() => undefined);
  grpc = new Client(`127.0.0.1:${service.ports.grpc ?? 0}`, credentials.createInsecure());
});
afterAll(async () => {
  grpc.close();
  await service.stop();
});

const checkOverGrpc = (): Promise<ServiceError | null> =>
  new Promise((resolve) => {
    const { path, requestSerialize, responseDeserialize } = ProductServiceService.checkInventory;
    const request = { productId: 'cup', quantity: 1 };
    const options = { deadline: Date.now() + 5_000 };
    grpc.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      new Metadata(),
      options,
      resolve,
    );
  });

describe.each(Object.keys(errorCatalog) as ErrorCode[])('%s', (code) => {
  const { httpStatus, grpcStatus, graphqlCode } = errorCatalog[code];
  beforeAll(() => {
    asked.code = code;
  });

  it(`is ${httpStatus} over REST`, async () => {
    const answer = await fetch(`http://127.0.0.1:${service.ports.http ?? 0}/check`);
    expect(answer.status).toBe(httpStatus);
    expect(Problem.parse(await answer.json())).toMatchObject({ code, status: httpStatus });
  });

  it(`is ${grpcStatus} over gRPC`, async () => {
    const error = await checkOverGrpc();
    expect(error?.code).toBe(grpcStatus);
    expect(error?.metadata.get('parley-code')).toEqual([code]);
  });

  it(`is ${graphqlCode} over GraphQL`, async () => {
    const query = '{ checkInventory(productId: "cup", quantity: 1) { inStock } }';
    const answer = await graphql(
      new Request('http://product/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      }),
    );
    expect(await answer.json()).toMatchObject({
      data: { checkInventory: null },
      errors: [{ message: 'why', extensions: { code: graphqlCode } }],
    });
  });
});
