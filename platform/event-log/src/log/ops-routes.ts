/** The projections of a log as routes of an operations server, free of any HTTP library. */
import type { EventLog } from '../ports.ts';
import type { RebuildOutcome } from './rebuild-report.ts';

/** What a route is asked: path parameters and the query string, each value once. */
export interface OpsRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

export type OpsAnswer =
  | { readonly kind: 'ok'; readonly body: object }
  | { readonly kind: 'not-found'; readonly detail: string }
  | { readonly kind: 'invalid'; readonly detail: string }
  /** The same is being done already. */
  | { readonly kind: 'conflict'; readonly detail: string }
  /** Not now. */
  | { readonly kind: 'not-ready'; readonly detail: string };

/** One route. `path` names its parameters as `:name`. */
export interface OpsRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly answer: (request: OpsRequest) => Promise<OpsAnswer>;
}

const ROWS_MAX = 1000;
const noSuchProjection = 'this service has no projection of that name';

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

const answerTo = (outcome: RebuildOutcome): OpsAnswer => {
  switch (outcome.kind) {
    case 'rebuilt':
      return { kind: 'ok', body: outcome.report };
    case 'running': {
      const { name, topic, positions, live } = outcome.running;
      const detail = `${name} is being rebuilt from ${topic}: ${String(sum(positions))} of ${String(sum(live))} records are read.`;
      return { kind: 'conflict', detail };
    }
    case 'unknown':
      return { kind: 'not-found', detail: noSuchProjection };
    case 'aborted':
      return { kind: 'not-ready', detail: `Nothing was changed: ${outcome.reason}.` };
  }
};

/** The shapes are those of contracts/src/rest/ops.ts. */
export const projectionRoutes = (
  log: Pick<EventLog, 'projections' | 'projectionRows' | 'rebuild'>,
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
      const rows = /^[1-9]\d*$/.test(limit) ? Number(limit) : Number.NaN;
      if (!(rows <= ROWS_MAX))
        return Promise.resolve({ kind: 'invalid', detail: `limit must be 1 to ${String(ROWS_MAX)}` });
      const page = log.projectionRows(name, after === undefined ? { limit: rows } : { limit: rows, after });
      return Promise.resolve(
        page === undefined ? { kind: 'not-found', detail: noSuchProjection } : { kind: 'ok', body: page },
      );
    },
  },
  {
    // Answers when it is done.
    method: 'POST',
    path: '/ops/projections/:name/rebuild',
    answer: async ({ params: { name = '' } }) => answerTo(await log.rebuild(name)),
  },
];
