/** The projections of a log as read-only routes of an operations server, free of any HTTP library. */
import type { EventLog } from '../ports.ts';

/** What a route is asked: path parameters and the query string, each value once. */
export interface OpsRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

export type OpsAnswer =
  | { readonly kind: 'ok'; readonly body: object }
  | { readonly kind: 'not-found'; readonly detail: string }
  | { readonly kind: 'invalid'; readonly detail: string };

/** One route. `path` names its parameters as `:name`. */
export interface OpsRoute {
  readonly method: 'GET';
  readonly path: string;
  readonly answer: (request: OpsRequest) => Promise<OpsAnswer>;
}

const ROWS_MAX = 1000;

/** The shapes are those of contracts/src/rest/ops.ts. */
export const projectionRoutes = (
  log: Pick<EventLog, 'projections' | 'projectionRows'>,
): readonly OpsRoute[] => [
  {
    method: 'GET',
    path: '/ops/projections',
    answer: async () => ({ kind: 'ok', body: { projections: await log.projections() } }),
  },
  {
    method: 'GET',
    path: '/ops/projections/:name/rows',
    answer: ({ params: { name = '' }, query: { after, limit = String(ROWS_MAX) } }) => {
      const rows = Number(limit);
      if (!Number.isInteger(rows) || rows < 1 || rows > ROWS_MAX)
        return Promise.resolve({ kind: 'invalid', detail: `limit must be 1 to ${String(ROWS_MAX)}` });
      const page = log.projectionRows(name, after === undefined ? { limit: rows } : { limit: rows, after });
      return Promise.resolve(
        page === undefined
          ? { kind: 'not-found', detail: 'this service has no projection of that name' }
          : { kind: 'ok', body: page },
      );
    },
  },
];
