/** Dead letters as routes of an operations server, free of any HTTP library. */
import type { z } from 'zod';
import {
  Discard,
  ExportQuery,
  isWaiting,
  isWanted,
  ListQuery,
  OrderOfMany,
  problemOf,
  Redrive,
} from './letter-requests.ts';
import { dueFor, orderMany } from './order-many.ts';
import type { DeadLetterStore, LetterAnswer, LetterDetail, LetterSummary } from './store.ts';

export interface OpsRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The body as JSON; undefined when there is none. Rejects when it is something else. */
  readonly json: () => Promise<unknown>;
}

export type OpsAnswer =
  | { readonly kind: 'ok'; readonly body: object }
  /** One a line, each sent before the next one is asked for, until the signal aborts. */
  | { readonly kind: 'lines'; readonly lines: (signal: AbortSignal) => AsyncIterable<object> }
  | { readonly kind: 'not-found'; readonly detail: string }
  | { readonly kind: 'invalid'; readonly detail: string }
  | { readonly kind: 'conflict'; readonly detail: string };

/** One route. `path` names its parameters as `:name`. */
export interface OpsRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly answer: (request: OpsRequest) => Promise<OpsAnswer>;
}

const noSuchLetter: OpsAnswer = {
  kind: 'not-found',
  detail: 'this service has no open dead letter of that id',
};

const answerTo = (answer: LetterAnswer): OpsAnswer => {
  switch (answer.kind) {
    case 'ok':
      return { kind: 'ok', body: {} };
    case 'not-found':
      return noSuchLetter;
    case 'refused':
      return { kind: 'conflict', detail: answer.why };
  }
};

/** Answers what is asked for, or says what is wrong with how it was. */
const asked = async <T>(
  schema: z.ZodType<T>,
  value: unknown,
  answer: (asked: T) => Promise<OpsAnswer>,
): Promise<OpsAnswer> => {
  const { data, error } = schema.safeParse(value);
  return error === undefined ? answer(data) : { kind: 'invalid', detail: problemOf(error) };
};

async function* details(
  store: DeadLetterStore,
  letters: readonly LetterSummary[],
  signal: AbortSignal,
): AsyncGenerator<LetterDetail> {
  for (const { id } of letters) {
    signal.throwIfAborted(); // cut: an export that ends in order is a whole one
    const detail = await store.show(id);
    if (detail !== undefined) yield detail; // else settled meanwhile
  }
}

/** Orders of many letters: one at a time of each process, so that its rate is the rate. */
const ordersOfMany = (store: DeadLetterStore): readonly OpsRoute[] => {
  let isBusy = false;
  return (['redrive', 'discard'] as const).map((action) => ({
    method: 'POST',
    path: `/ops/dead-letters/${action}`,
    answer: async ({ json }) =>
      asked(OrderOfMany, await json().catch(() => undefined), async (order) => {
        const chosen = async () => {
          const due = dueFor(action, order, await store.list());
          return (signal: AbortSignal) => orderMany(store, action, { due, order, signal });
        };
        if (order.dryRun || order.max === 0) return { kind: 'lines', lines: await chosen() };
        if (isBusy) return { kind: 'conflict', detail: 'another order of many letters is being worked on' };
        isBusy = true;
        const ordering = await chosen().catch((error: unknown) => {
          isBusy = false;
          throw error;
        });
        const lines = async function* (signal: AbortSignal) {
          try {
            yield* ordering(signal);
          } finally {
            isBusy = false;
          }
        };
        return { kind: 'lines', lines };
      }),
  }));
};

/** The shapes are those of contracts/src/rest/dead-letters.ts. */
export const deadLetterRoutes = (store: DeadLetterStore): readonly OpsRoute[] => [
  {
    method: 'GET',
    path: '/ops/dead-letters',
    answer: ({ query }) =>
      asked(ListQuery, query, async ({ settled, ...filter }) => {
        const letters = (await store.list()).filter(
          (letter) => isWanted(filter, letter) && (settled === 'true' || isWaiting(letter)),
        );
        return { kind: 'ok', body: { letters } };
      }),
  },
  {
    // Before those with an id, of which none is without a colon.
    method: 'GET',
    path: '/ops/dead-letters/export',
    answer: ({ query }) =>
      asked(ExportQuery, query, async ({ max, ...filter }) => {
        const all = await store.list();
        const letters = all.filter((letter) => isWaiting(letter) && isWanted(filter, letter)).slice(0, max);
        return { kind: 'lines', lines: (signal) => details(store, letters, signal) };
      }),
  },
  ...ordersOfMany(store),
  {
    method: 'GET',
    path: '/ops/dead-letters/:id',
    answer: async ({ params: { id = '' } }) => {
      const letter = await store.show(id);
      return letter === undefined ? noSuchLetter : { kind: 'ok', body: letter };
    },
  },
  {
    // Answers when the request is stored; whoever is assigned the letter works on it then.
    method: 'POST',
    path: '/ops/dead-letters/:id/redrive',
    answer: async ({ params: { id = '' }, json }) =>
      asked(Redrive, await json().catch(() => undefined), async (options) =>
        answerTo(await store.redrive(id, options)),
      ),
  },
  {
    method: 'POST',
    path: '/ops/dead-letters/:id/discard',
    answer: async ({ params: { id = '' }, json }) =>
      asked(Discard, await json().catch(() => undefined), async (options) =>
        answerTo(await store.discard(id, options)),
      ),
  },
];
