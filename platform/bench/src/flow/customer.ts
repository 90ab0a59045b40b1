/** One customer in front of the gateway. */
import { randomUUID } from 'node:crypto';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderResource, ProductPage } from '@parley/contracts/rest';

const REQUEST_TIMEOUT_MS = 10_000;
/** Products with less could run out under the benchmark. */
const STOCK_MIN = 10_000;

export class Customer {
  readonly #url: string;
  readonly #authorization: string;
  #products: readonly string[] = [];

  constructor(gatewayUrl: string, token: string) {
    this.#url = gatewayUrl;
    this.#authorization = `Bearer ${token}`;
  }

  /** Chooses what to order. @throws Error when no product has a large stock. */
  async chooseProducts(): Promise<readonly string[]> {
    const response = await this.#request('/api/v1/products?limit=100');
    const { items } = ProductPage.parse(await response.json());
    this.#products = items.filter(({ stock }) => stock >= STOCK_MIN).map(({ productId }) => productId);
    if (this.#products.length === 0) throw new Error('no product has a large stock');
    return this.#products;
  }

  /** Places an order for one unit, of each product in turn. Answers the order's id. @throws Error on anything but 201. */
  async order(index: number): Promise<string> {
    const response = await this.#request('/api/v1/orders', {
      method: 'POST',
      headers: { 'content-type': 'application/json', [httpHeaders.idempotencyKey]: randomUUID() },
      body: JSON.stringify({ productId: this.#products[index % this.#products.length], quantity: 1 }),
    });
    const body: unknown = await response.json();
    if (response.status !== 201)
      throw new Error(`POST /api/v1/orders was answered with ${response.status}: ${JSON.stringify(body)}`);
    return OrderResource.parse(body).orderId;
  }

  async status(orderId: string): Promise<OrderResource['status']> {
    const response = await this.#request(`/api/v1/orders/${orderId}`);
    if (!response.ok) throw new Error(`GET of an order was answered with ${response.status}`);
    return OrderResource.parse(await response.json()).status;
  }

  #request(
    path: string,
    init: {
      readonly method?: string;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    } = {},
  ): Promise<Response> {
    return fetch(`${this.#url}${path}`, {
      ...init,
      headers: { ...init.headers, authorization: this.#authorization },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  }
}
