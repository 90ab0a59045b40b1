/** Customers in front of the gateway. */
import { randomUUID } from 'node:crypto';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderResource, ProductPage } from '@parley/contracts/rest';

const REQUEST_TIMEOUT_MS = 10_000;
/** Products with less could run out under the benchmark. */
const STOCK_MIN = 10_000;

/** Several, who order in turn: one alone would meet the gateway's limit for a client while its orders are polled. */
export class Customers {
  readonly #url: string;
  readonly #tokens: readonly [string, ...string[]];
  readonly #owners = new Map<string, string>();
  #products: readonly string[] = [];

  constructor(gatewayUrl: string, tokens: readonly [string, ...string[]]) {
    this.#url = gatewayUrl;
    this.#tokens = tokens;
  }

  /** Chooses what to order. @throws Error when no product has a large stock. */
  async chooseProducts(): Promise<readonly string[]> {
    const response = await this.#request('/api/v1/products?limit=100', this.#tokens[0]);
    const { items } = ProductPage.parse(await response.json());
    this.#products = items.filter(({ stock }) => stock >= STOCK_MIN).map(({ productId }) => productId);
    if (this.#products.length === 0) throw new Error('no product has a large stock');
    return this.#products;
  }

  /**
   * Places an order for one unit, of each product in turn. `paid` is false when it was answered with 202, since
   * another service was not reached in time. @throws Error when it was not taken.
   */
  async order(index: number): Promise<{ readonly orderId: string; readonly paid: boolean }> {
    const token = this.#tokens[index % this.#tokens.length] ?? this.#tokens[0];
    const response = await this.#request('/api/v1/orders', token, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [httpHeaders.idempotencyKey]: randomUUID() },
      body: JSON.stringify({ productId: this.#products[index % this.#products.length], quantity: 1 }),
    });
    const body: unknown = await response.json();
    if (response.status !== 201 && response.status !== 202)
      throw new Error(`POST /api/v1/orders was answered with ${response.status}: ${JSON.stringify(body)}`);
    const { orderId } = OrderResource.parse(body);
    this.#owners.set(orderId, token);
    return { orderId, paid: response.status === 201 };
  }

  async status(orderId: string): Promise<OrderResource['status']> {
    const response = await this.#request(`/api/v1/orders/${orderId}`, this.#owners.get(orderId) ?? '');
    if (!response.ok) throw new Error(`GET of an order was answered with ${response.status}`);
    return OrderResource.parse(await response.json()).status;
  }

  #request(
    path: string,
    token: string,
    init: {
      readonly method?: string;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    } = {},
  ): Promise<Response> {
    return fetch(`${this.#url}${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  }
}
