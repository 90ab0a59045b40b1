import { httpHeaders } from '@parley/contracts/headers';
import { correlationFormat } from './correlation.ts';
import { limitHeaders } from './limit.ts';
import { extension, type Fragment } from './typed.ts';

const told: readonly (readonly [string, string])[] = [
  [httpHeaders.correlationId, correlationFormat],
  ...limitHeaders,
];

/**
 * Stands first, so that it has the last word on every answer, Envoy's own too: each carries the request's correlation id
 * and, where requests are counted, what is left. A header whose value is not known is not added.
 */
export const answerHeaders: Fragment = extension(
  'envoy.filters.http.header_mutation',
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
  {
    mutations: {
      response_mutations: told.map(([key, value]) => ({
        append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      })),
    },
  },
);
