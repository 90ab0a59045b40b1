/** Dead letters as routes of an operations server, free of any HTTP library. */
import type { DeadLetterStore, LetterAnswer } from './store.ts';

export interface OpsRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The body as JSON; undefined when there is none. Rejects when it is something else. */
  readonly json: () => Promise<unknown>;
}

export type OpsAnswer =
  | { readonly kind: 'ok'; readonly body: object }
  | { readonly kind: 'not-found'; readonly detail: string }
  | { readonly kind: 'invalid'; readonly detail: string }
  | { readonly kind: 'conflict'; readonly detail: string };

/** One route. `path` names its parameters as `:name`. */
export interface OpsRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly answer: (request: OpsRequest) => Promise<OpsAnswer>;
}

const WHY_MAX = 500;
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

const whyOf = (body: unknown): string | undefined => {
  const why = typeof body === 'object' && body !== null && 'why' in body ? body.why : undefined;
  return typeof why === 'string' && why.trim() !== '' && why.length <= WHY_MAX ? why : undefined;
};
const needsWhy: OpsAnswer = {
  kind: 'invalid',
  detail: `the body must be JSON with \`why\`, a text of 1 to ${String(WHY_MAX)} characters`,
};

/** The shapes are those of contracts/src/rest/dead-letters.ts. */
export const deadLetterRoutes = (store: DeadLetterStore): readonly OpsRoute[] => [
  {
    method: 'GET',
    path: '/ops/dead-letters',
    answer: async () => ({ kind: 'ok', body: { letters: await store.list() } }),
  },
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
    answer: async ({ params: { id = '' }, json }) => {
      const body = await json().catch(() => undefined);
      const why = whyOf(body);
      if (why === undefined) return needsWhy;
      const { edited } = body as { readonly edited?: unknown }; // it has a `why`
      return answerTo(await store.redrive(id, edited === undefined ? { why } : { why, edited }));
    },
  },
  {
    method: 'POST',
    path: '/ops/dead-letters/:id/discard',
    answer: async ({ params: { id = '' }, json }) => {
      const why = whyOf(await json().catch(() => undefined));
      return why === undefined ? needsWhy : answerTo(await store.discard(id, { why }));
    },
  },
];
