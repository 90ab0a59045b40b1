import { GraphqlResponse } from '@parley/contracts/rest';
import type { ProductEvent } from '@parley/contracts/events';
import type { View } from '@parley/event-log';
import { getIntrospectionQuery } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createProductsGraphql } from './graphql.ts';
import { productReads } from './grpc.ts';
import { foldProduct, type ProductRow } from './rows.ts';

const added = (productId: string, category: string): ProductEvent => ({
  type: 'ProductAdded',
  data: {
    productId,
    name: productId,
    description: '…',
    category,
    priceMinor: 250,
    currency: 'EUR',
    addedAt: 1,
  },
});
const stocked = (productId: string, quantity: number): ProductEvent => ({
  type: 'StockAdded',
  data: { productId, quantity, addedAt: 1 },
});
const fold = (...events: readonly ProductEvent[]): ProductRow | undefined =>
  events.reduce<ProductRow | undefined>(foldProduct, undefined);

/** A view over fixed rows; what a real one promises is proven with the event log. */
const viewOf = (rows: readonly ProductRow[]): View<ProductRow> => {
  const page = (
    from: readonly ProductRow[],
    { limit, after = '' }: { readonly limit: number; readonly after?: string },
  ): ProductRow[] => from.filter((row) => row.productId > after).slice(0, limit);
  const progress = {
    topic: 't',
    nextOffsets: [],
    accepted: 0,
    conflicts: 0,
    duplicates: 0,
    badRecords: 0,
    skippedTypes: 0,
    failedFolds: 0,
  };
  return {
    name: 'products',
    size: rows.length,
    get: (key) => {
      if (key === 'broken') throw new Error('secret of the inside');
      return rows.find((row) => row.productId === key);
    },
    list: (options) => page(rows, options),
    find: (_index, value, options) =>
      page(
        rows.filter((row) => row.category === value),
        options,
      ),
    values: () => [...new Set(rows.map((row) => row.category))].sort(),
    progress: () => progress,
    stateHash: () => '',
  };
};

const rows = ['a', 'b', 'c'].flatMap((id) => {
  const row = fold(added(id, id === 'c' ? 'books' : 'audio'), stocked(id, 7));
  return row === undefined ? [] : [row];
});
const rowOf = (productId: string): ProductRow => {
  const row = rows.find((candidate) => candidate.productId === productId);
  if (row === undefined) throw new Error(`no row ${productId}`);
  return row;
};
const logged: unknown[] = [];
const graphql = createProductsGraphql({
  view: viewOf(rows),
  log: { error: (fields) => logged.push(fields) },
});

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

const ask = async (query: string, variables: object = {}, asked = graphql): Promise<Answer> => {
  const response = await asked(
    new Request('http://127.0.0.1/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    }),
  );
  return (await response.json()) as Answer;
};
const codesOf = ({ errors = [] }: Answer): (string | undefined)[] => errors.map((e) => e.extensions?.code);

describe('the fold', () => {
  it('counts as available what is neither held nor gone', () => {
    const hold = { productId: 'a', orderId: 'o', quantity: 3 };
    const reserved: ProductEvent = {
      type: 'StockReserved',
      data: { ...hold, unitPriceMinor: 250, currency: 'EUR', reservedAt: 1, expiresAt: 2 },
    };
    const before = [added('a', 'audio'), stocked('a', 10), reserved];
    expect(fold(...before)?.available).toBe(7);
    expect(fold(...before, { type: 'StockCommitted', data: { ...hold, committedAt: 2 } })?.available).toBe(7);
    const released: ProductEvent = {
      type: 'StockReleased',
      data: { ...hold, reason: 'EXPIRED', releasedAt: 2 },
    };
    expect(fold(...before, released)?.available).toBe(10);
  });
});

describe('gRPC reads', () => {
  const reads = productReads(viewOf(rows));
  it('say whether a quantity is available, and nothing of an unknown product', () => {
    expect(reads.checkInventory({ productId: 'a', quantity: 7 })?.inStock).toBe(true);
    expect(reads.checkInventory({ productId: 'a', quantity: 8 })?.inStock).toBe(false);
    expect(reads.checkInventory({ productId: 'none', quantity: 1 })).toBeUndefined();
    expect(reads.getProduct({ productId: 'a' })?.product?.priceMinor).toBe(250n);
    expect(reads.getProduct({ productId: 'none' })).toBeUndefined();
  });
});

describe('GraphQL', () => {
  it('answers only the fields that were asked for', async () => {
    expect(await ask('{ product(productId: "a") { name price { amountMinor } } }')).toEqual({
      data: { product: { name: 'a', price: { amountMinor: 250 } } },
    });
  });
  it('answers null for an unknown product', async () => {
    expect(await ask('{ product(productId: "none") { name } }')).toEqual({ data: { product: null } });
  });
  it('pages by id and restricts to a category', async () => {
    const list = async (args: string): Promise<unknown> =>
      (await ask(`{ products${args} { productId } }`)).data;
    expect(await list('')).toEqual({
      products: [{ productId: 'a' }, { productId: 'b' }, { productId: 'c' }],
    });
    expect(await list('(limit: 1, after: "a")')).toEqual({ products: [{ productId: 'b' }] });
    expect(await list('(category: "books")')).toEqual({ products: [{ productId: 'c' }] });
    expect((await ask('{ categories }')).data).toEqual({ categories: ['audio', 'books'] });
  });
  it.each([0, 101, -1, null])('refuses a limit of %s as BAD_USER_INPUT', async (limit) => {
    expect(codesOf(await ask('query($limit: Int) { products(limit: $limit) { name } }', { limit }))).toEqual([
      'BAD_USER_INPUT',
    ]);
  });
  it('refuses an unknown field and a broken document with a code', async () => {
    expect(codesOf(await ask('{ products { secret } }'))).toEqual(['BAD_USER_INPUT']);
    expect(codesOf(await ask('{ products {'))).toEqual(['BAD_USER_INPUT']);
  });
  it('refuses what is too long, too deep or too dear before resolving it', async () => {
    const many = (count: number, field: string): string =>
      `{ ${Array.from({ length: count }, (_, index) => `f${index}: ${field}`).join(' ')} }`;
    expect(codesOf(await ask(many(600, 'categories')))).toEqual(['BAD_USER_INPUT']);
    expect(codesOf(await ask(many(30, 'products(limit: 100) { name }')))).toEqual(['BAD_USER_INPUT']);
    const fragments = `query { ...A } fragment A on Query { ${many(30, 'products(limit: 100) { name }').slice(1, -1)} }`;
    expect(codesOf(await ask(fragments))).toEqual(['BAD_USER_INPUT']);
    expect(codesOf(await ask(many(1, 'products(limit: 100) { name price { amountMinor } }')))).toEqual([]);
  });
  it('refuses introspection that is dearer or deeper than the limits, and answers what the explorer asks', async () => {
    const levels = (count: number, aliases: number): string =>
      Array.from({ length: count }, (_, level) => {
        const fields = Array.from({ length: aliases }, (_alias, n) => `a${n}: ofType { ...F${level + 1} }`);
        return `fragment F${level} on __Type { ${fields.join(' ')} }`;
      }).join(' ');
    const bomb = `{ __schema { types { ...F0 } } } ${levels(5, 8)} fragment F5 on __Type { name description }`;
    expect(bomb.length).toBeLessThan(1_100);
    expect(codesOf(await ask(bomb))).toEqual(['BAD_USER_INPUT']);
    expect(
      codesOf(
        await ask(`{ __type(name: "Query") { ...F0 } } ${levels(25, 1)} fragment F25 on __Type { name }`),
      ),
    ).toEqual(['BAD_USER_INPUT']);
    const explorer = await ask(
      getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true }),
    );
    expect(codesOf(explorer)).toEqual([]);
  });
  it('refuses an answer of more than a mebibyte, however cheap its fields were', async () => {
    const text = 'x'.repeat(2_000);
    const long = createProductsGraphql({
      view: viewOf(
        Array.from({ length: 100 }, (_, n) => ({
          ...rowOf('a'),
          productId: `p${n + 100}`,
          description: text,
        })),
      ),
      log: { error: () => undefined },
    });
    const fields = Array.from({ length: 8 }, (_, n) => `d${n}: description`).join(' ');
    expect(codesOf(await ask(`{ products(limit: 100) { ${fields} } }`, {}, long))).toEqual([
      'BAD_USER_INPUT',
    ]);
    expect(codesOf(await ask('{ products(limit: 100) { description } }', {}, long))).toEqual([]);
  });
  it('leaves out of a page what its Int cannot carry, and fills the page with what comes behind', async () => {
    const some = [
      { ...rowOf('a'), available: 3_000_000_000 },
      { ...rowOf('b'), priceMinor: 2_500_000_000 },
      rowOf('c'),
    ];
    const shown = createProductsGraphql({ view: viewOf(some), log: { error: () => undefined } });
    const fields = '{ productId stock price { amountMinor } }';
    expect(await ask(`{ products(limit: 2) ${fields} }`, {}, shown)).toEqual({
      data: {
        products: [
          { productId: 'a', stock: 2_147_483_647, price: { amountMinor: 250 } },
          { productId: 'c', stock: 7, price: { amountMinor: 250 } },
        ],
      },
    });
  });
  it('keeps what goes wrong inside to itself and logs it', async () => {
    const answer = await ask('{ product(productId: "broken") { name } }');
    expect(codesOf(answer)).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(JSON.stringify(answer)).not.toContain('secret');
    expect(logged).toHaveLength(1);
  });
  it.each([
    ['an operation of another kind', 'mutation { add }', {}],
    ['a variable that is not there', 'query($id: ID!) { product(productId: $id) { name } }', {}],
  ])('refuses %s with a code, as the contract has it', async (_what, query, variables) => {
    const answer = GraphqlResponse.parse(await ask(query, variables));
    expect(answer.errors).toHaveLength(1);
  });
  it('refuses a body that is no JSON with 400 and a code', async () => {
    const headers = { 'content-type': 'application/json' };
    const response = await graphql(
      new Request('http://127.0.0.1/graphql', { method: 'POST', headers, body: 'x' }),
    );
    expect(response.status).toBe(400);
    const { errors = [] } = GraphqlResponse.parse(await response.json());
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  });
  it.each([
    ['without a query', { variables: {} }],
    ['with a query that is no text', { query: 1 }],
    ['with a parameter of its own', { query: '{ categories }', own: true }],
    ['with variables that are none', { query: '{ categories }', variables: 1 }],
    ['that names no operation of several', { query: 'query A { categories } query B { categories }' }],
  ])('refuses a body %s with a code of the closed list', async (_what, body) => {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await graphql(new Request('http://127.0.0.1/graphql', request));
    const { errors = [] } = GraphqlResponse.parse(await response.json());
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  });
  it('refuses a batch', async () => {
    const response = await graphql(
      new Request('http://127.0.0.1/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify([{ query: '{ categories }' }, { query: '{ categories }' }]),
      }),
    );
    expect(response.status).toBe(400);
    expect(codesOf((await response.json()) as Answer)).toEqual(['BAD_USER_INPUT']);
  });
  it('can be introspected', async () => {
    expect((await ask('{ __schema { queryType { name } } }')).data).toEqual({
      __schema: { queryType: { name: 'Query' } },
    });
  });
  it('gives a browser the explorer from this service alone', async () => {
    const response = await graphql(
      new Request('http://127.0.0.1/graphql', { headers: { accept: 'text/html' } }),
    );
    const page = await response.text();
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(page).toContain('Parley products');
    expect(page).not.toMatch(/<script[^>]+src=|<link[^>]+href="https?:/);
  });
});
