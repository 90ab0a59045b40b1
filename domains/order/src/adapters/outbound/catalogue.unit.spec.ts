/** Both clients against peers that name each code of the catalogue in turn. */
import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { ProductServiceService } from '@parley/contracts/grpc/product';
import {
  createGrpcClient,
  createPolicy,
  createRestClient,
  grpcInstances,
  GrpcRefusal,
  httpInstances,
  staticResolve,
  type Policy,
} from '@parley/service';
import { testService } from '@parley/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const RETRIES = 2;
const CALLS = 2;
const peer = { code: 'INTERNAL' as ErrorCode, asked: 0 };
const service = testService<ErrorCode>({ name: 'product', errors: errorCatalog });
const refuse = (): never => {
  peer.asked += 1;
  throw new GrpcRefusal<ErrorCode>(peer.code, 'why');
};
service.http.get('/refused', (c) => {
  peer.asked += 1;
  return service.problem(c, peer.code);
});
service.grpc.add(ProductServiceService, {
  getProduct: refuse,
  checkInventory: refuse,
  releaseStock: refuse,
  reserveStock: refuse,
});
beforeAll(() => service.run(() => undefined));
afterAll(() => service.stop());

/** One call under a policy: what came of it, as both protocols tell it. */
const callers: Readonly<
  Record<string, (policy: Policy) => Promise<{ kind: string; code?: string | undefined }>>
> = {
  REST: async (policy) => {
    const resolve = staticResolve(httpInstances('product', [`http://127.0.0.1:${service.ports.http ?? 0}`]));
    const client = createRestClient({ peer: 'product', resolve, policy, errors: errorCatalog });
    return client.request({ method: 'GET', path: '/refused' });
  },
  gRPC: async (policy) => {
    const client = createGrpcClient(
      { service: ProductServiceService },
      {
        peer: 'product',
        resolve: staticResolve(grpcInstances('product', [`127.0.0.1:${service.ports.grpc ?? 0}`])),
        deadlineMs: 2_000,
        policy,
        errors: errorCatalog,
        idempotent: ['getProduct'],
      },
    );
    try {
      return await client.getProduct({ productId: 'cup' });
    } finally {
      client.close();
    }
  },
};

describe.each(Object.keys(callers))('a %s client', (protocol) => {
  it.each(Object.keys(errorCatalog) as ErrorCode[])('does about %s what the catalogue says', async (code) => {
    peer.code = code;
    peer.asked = 0;
    const policy = createPolicy({
      name: 'product',
      timeoutMs: 2_000,
      retries: RETRIES,
      retryDelayMs: 1,
      retryDelayMsMax: 2,
      breaker: 'consecutive',
      breakerFailures: CALLS * (RETRIES + 1),
    });
    const answers = [];
    for (let n = 0; n < CALLS; n += 1) answers.push(await callers[protocol]?.(policy));
    const { retryable, httpStatus } = errorCatalog[code];
    const isPeersFailure = httpStatus >= 500 || httpStatus === 429;
    expect(peer.asked).toBe(CALLS * (retryable ? RETRIES + 1 : 1));
    for (const answer of answers) {
      expect(answer?.code).toBe(code);
      expect(answer?.kind === 'unavailable').toBe(retryable || isPeersFailure);
    }
    // A failure that is not counted leaves the breaker closed, however often it happens.
    const others = CALLS * (RETRIES + 1) - peer.asked;
    for (let n = 0; n < others; n += 1) await callers[protocol]?.(policy);
    expect(policy.status().state).toBe(isPeersFailure ? 'open' : 'closed');
  });
});
