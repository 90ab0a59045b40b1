import { randomBytes, randomUUID } from 'node:crypto';
import type { Endpoints } from '@parley/contracts/endpoints';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderResource, Problem, ProductPage } from '@parley/contracts/rest';
import { ensureDevKeys, mintToken } from '@parley/gateway-config';
import type { PlacedOrder } from './api.ts';

const TIMEOUT_MS = 10_000;
const TOKEN_TTL_SECONDS = 60;
/** The customer of every order that the console places. */
const CUSTOMER = 'console';

const productOf = async (gatewayUrl: string): Promise<string> => {
  const response = await fetch(`${gatewayUrl}/api/v1/products?limit=1`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const [product] = ProductPage.parse(await response.json()).items;
  if (product === undefined) throw new Error('the catalogue is empty');
  return product.productId;
};

/**
 * Orders one piece of the first product through the gateway, as `npm run flow` does: with a development token of the
 * run folder's key. @throws Error when the gateway does not answer.
 */
export const placeOrder = async (endpoints: Endpoints, runDir: string): Promise<PlacedOrder> => {
  const { url } = endpoints.gateway;
  const { privateKeyPath } = await ensureDevKeys(runDir);
  const token = await mintToken({ privateKeyPath, sub: CUSTOMER, ttlSeconds: TOKEN_TTL_SECONDS });
  const productId = await productOf(url);
  const traceId = randomBytes(16).toString('hex');
  const startedAtMs = performance.now();
  const response = await fetch(`${url}/api/v1/orders`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      [httpHeaders.idempotencyKey]: randomUUID(),
      [httpHeaders.traceparent]: `00-${traceId}-${randomBytes(8).toString('hex')}-01`,
    },
    body: JSON.stringify({ productId, quantity: 1, channel: 'WEB' }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const body: unknown = await response.json();
  const told = { httpStatus: response.status, latencyMs: performance.now() - startedAtMs, traceId };
  const order = OrderResource.safeParse(body);
  if (order.success) {
    const { orderId, status, notice } = order.data;
    return { ...told, orderId, outcome: status, detail: notice };
  }
  const problem = Problem.safeParse(body);
  if (!problem.success) return { ...told, outcome: `HTTP ${response.status}` };
  const { code, detail, orderId } = problem.data;
  return { ...told, orderId, outcome: code, detail };
};
