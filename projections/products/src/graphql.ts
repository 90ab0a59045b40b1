import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { errorCatalog, graphqlCodes, type ErrorCode } from '@parley/contracts/errors';
import { graphqlSdl } from '@parley/contracts/graphql';
import { INT32_MAX } from '@parley/contracts/limits';
import type { View } from '@parley/event-log';
import type { DocumentNode, GraphQLError } from 'graphql';
import { createGraphQLError, createSchema, createYoga, type Plugin } from 'graphql-yoga';
import { exampleQueries } from './examples.ts';
import { queryLimits } from './limits.ts';
import { checkInventory, listProducts, type ProductListing, type ProductRow } from './rows.ts';

/** Most lexical tokens of a document, deepest nesting, and most fields times list sizes. */
const TOKENS_MAX = 1_000;
const DEPTH_MAX = 6;
const COST_MAX = 2_500;
/** The explorer’s own query is 15 deep and costs about 6,000. */
const INTROSPECTION = { depthMax: 20, costMax: 10_000 };
/** Of an answer in JSON. */
const ANSWER_BYTES_MAX = 1_048_576;
const LIMIT_MAX = 100;
const TEXT_MAX = 200;

/** A refusal of the catalogue as a GraphQL client sees it: its code is that of the catalogue's row. */
export const graphqlRefusal = (code: ErrorCode, detail: string): GraphQLError =>
  createGraphQLError(detail, { extensions: { code: errorCatalog[code].graphqlCode } });

const badInput = (message: string, path: string): GraphQLError =>
  createGraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', path } });

const checkText = (value: string | null | undefined, path: string): string | undefined => {
  if (value === undefined || value === null) return undefined;
  if (value.length < 1 || value.length > TEXT_MAX) {
    throw badInput(`${path} must have 1 to ${TEXT_MAX} characters`, path);
  }
  return value;
};

const checkLimit = (limit: number | null | undefined): number => {
  if (limit === undefined || limit === null || !Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw badInput(`limit must be 1 to ${LIMIT_MAX}, got ${limit ?? 'null'}`, 'limit');
  }
  return limit;
};

interface ProductsArguments {
  readonly category?: string | null;
  readonly limit?: number | null;
  readonly after?: string | null;
}

/** False for a product that an older release took with a price beyond GraphQL's Int: REST and gRPC show it. */
const isShowable = ({ priceMinor }: ProductRow): boolean => priceMinor <= INT32_MAX;

/** A whole page of those that can be shown: one that cannot neither spoils a list nor shortens a page. */
const listed = (view: View<ProductRow>, listing: ProductListing): readonly ProductRow[] => {
  const rows: ProductRow[] = [];
  for (let { after } = listing; ;) {
    const limit = listing.limit - rows.length;
    const page = listProducts(view, { ...listing, limit, after });
    rows.push(...page.filter(isShowable));
    const last = page.at(-1);
    if (last === undefined || page.length < limit || rows.length === listing.limit) return rows;
    after = last.productId;
  }
};

type Resolvers = NonNullable<Parameters<typeof createSchema>[0]['resolvers']>;

const resolvers = (view: View<ProductRow>): Resolvers => ({
  Query: {
    product: (_root: unknown, { productId }: { readonly productId: string }) =>
      view.get(checkText(productId, 'productId') ?? ''),
    products: (_root: unknown, { category, limit, after }: ProductsArguments) =>
      listed(view, {
        limit: checkLimit(limit),
        category: checkText(category, 'category'),
        after: checkText(after, 'after'),
      }),
    checkInventory: (_root: unknown, check: { readonly productId: string; readonly quantity: number }) => {
      checkText(check.productId, 'productId');
      if (check.quantity < 1) throw badInput('quantity must be at least 1', 'quantity');
      const checked = checkInventory(view, check);
      if (checked === undefined)
        throw graphqlRefusal('PRODUCT_NOT_FOUND', `There is no product ${check.productId}.`);
      return checked;
    },
    categories: () => view.values('category'),
  },
  Product: {
    price: ({ priceMinor, currency }: ProductRow) => ({ amountMinor: priceMinor, currency }),
    stock: ({ available }: ProductRow) => Math.min(available, INT32_MAX), // that many can be ordered, and more
  },
});

/** An error made for clients, perhaps wrapped once more on its way. By name and not by class, as yoga may load another copy. */
const isMeantForClients = (error: unknown): error is Error => {
  if (!(error instanceof Error) || error.name !== 'GraphQLError') return false;
  const { originalError } = error as Partial<Pick<GraphQLError, 'originalError'>>;
  return originalError === undefined || isMeantForClients(originalError);
};

/**
 * With a code of the closed list: graphql-js gives none, and yoga codes of its own, all for what a request got wrong. The
 * error itself, as yoga takes the status from it.
 */
const forClients = (error: Error): Error => {
  const { extensions = {} } = error as { readonly extensions?: Record<string, unknown> }; // a GraphQLError
  if (!graphqlCodes.has(String(extensions.code)))
    extensions.code = errorCatalog.MALFORMED_REQUEST.graphqlCode;
  return error;
};

/** Refuses long documents in the parser and dear ones in validation, and gives what it refuses a code. */
const limits: Plugin = {
  onParse: ({ parseFn, setParseFn }) => {
    // yoga's own signature is `any`
    setParseFn(
      (source, options: object | undefined) =>
        parseFn(source, { ...options, maxTokens: TOKENS_MAX }) as DocumentNode,
    );
  },
  onValidate: ({ addValidationRule }) => {
    addValidationRule(queryLimits({ depthMax: DEPTH_MAX, costMax: COST_MAX, introspection: INTROSPECTION }));
    return ({ valid, result }) => {
      if (!valid) for (const error of result as readonly GraphQLError[]) forClients(error); // yoga masks none of them
    };
  },
};

/** Where problems inside a resolver are written; the client sees only a code. */
export interface GraphqlLog {
  error(fields: { readonly err: unknown }, message: string): void;
}

export interface GraphqlOptions {
  readonly view: View<ProductRow>;
  readonly log: GraphqlLog;
  /** Path that clients use. Default `/graphql`. */
  readonly endpoint?: string;
}

const tooLarge = {
  errors: [
    {
      message: `The answer has more than ${ANSWER_BYTES_MAX} bytes: ask for fewer fields or items.`,
      extensions: { code: 'BAD_USER_INPUT' },
    },
  ],
};

/** Answers a GraphQL request, or a browser's GET with the explorer. */
export type GraphqlHandler = (request: Request) => Promise<Response>;

const explorer = (endpoint: string): (() => string) => {
  let page: string | undefined; // 9 MB of script, the same for everyone
  const defaultTabs = exampleQueries.map((query) => ({ query }));
  return () => (page ??= renderGraphiQL({ title: 'Parley products', endpoint, defaultTabs }));
};

/** The GraphQL API of the catalogue: queries only, one operation a request, bounded, with the explorer on GET. */
export const createProductsGraphql = ({
  view,
  log,
  endpoint = '/graphql',
}: GraphqlOptions): GraphqlHandler => {
  const yoga = createYoga({
    schema: createSchema({ typeDefs: graphqlSdl, resolvers: resolvers(view) }),
    graphqlEndpoint: endpoint,
    batching: false,
    multipart: false,
    cors: false,
    landingPage: false,
    logging: false,
    graphiql: { title: 'Parley products' },
    renderGraphiQL: explorer(endpoint),
    plugins: [limits],
    maskedErrors: {
      maskError: (error) => {
        if (isMeantForClients(error)) return forClients(error);
        log.error({ err: error }, 'a GraphQL resolver failed');
        const extensions = { code: 'INTERNAL_SERVER_ERROR' };
        return createGraphQLError('Something went wrong inside the service', { extensions });
      },
    },
  });
  return async (request) => {
    const answer = await yoga.fetch(request);
    const { status, headers } = answer;
    if (!(headers.get('content-type') ?? '').includes('json')) {
      return new Response(answer.body, { status, headers }); // the explorer's page
    }
    const text = await answer.text();
    const isTooLarge = Buffer.byteLength(text) > ANSWER_BYTES_MAX;
    return new Response(isTooLarge ? JSON.stringify(tooLarge) : text, { status, headers });
  };
};
