import type { OpsRoute } from '../ops.ts';
import type { Telemetry } from './telemetry.ts';

/** `GET /metrics` of the operations server. */
export const metricsRoute = ({ scrape }: Pick<Telemetry, 'scrape'>): OpsRoute => ({
  method: 'GET',
  path: '/metrics',
  answer: async () => ({
    kind: 'text',
    body: await scrape(),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  }),
});
