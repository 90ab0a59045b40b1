import type { OpsRoute } from '../ops.ts';
import type { Discovery } from './discovery.ts';

/** `GET /ops/discovery`: whom this instance would call, how old that knowledge is, and whether it is listed itself. */
export const discoveryRoute = (discovery: Discovery): OpsRoute => ({
  method: 'GET',
  path: '/ops/discovery',
  answer: () => Promise.resolve({ kind: 'ok', body: discovery.report() }),
});
