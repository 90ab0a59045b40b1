import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { StackState } from './api.ts';
import type { ConsoleConfig } from './config.ts';
import { readEndpoints } from './endpoints.ts';
import { onlyOwnPages } from './guard.ts';
import { readLedger } from './ledger-file.ts';
import { placeOrder } from './place-order.ts';
import { askPrometheus } from './prometheus.ts';
import { stackState } from './stack-state.ts';

const BODY_BYTES_MAX = 1_024;
/** However many pages look, the stack is asked once in so long. */
const STATE_FRESH_MS = 1_000;
/** Orders that the console places at the same time. */
const ORDERS_MAX = 4;

const noStack = 'no stack is ready: start one with npm run dev';
const noPrometheus = 'this stack has no Prometheus: start it without PARLEY_ENGINES=-prometheus';

/** Answers what was asked within `freshMs`, and one question for all who ask meanwhile. */
const shared = <T>(ask: () => Promise<T>, freshMs: number): (() => Promise<T>) => {
  let last: { readonly atMs: number; readonly answer: Promise<T> } | undefined;
  return () => {
    if (last !== undefined && performance.now() - last.atMs < freshMs) return last.answer;
    const answer = ask();
    last = { atMs: performance.now(), answer };
    answer.catch(() => (last = undefined));
    return answer;
  };
};

/** The console's server: its page, and what the page shows of one stack. For loopback and development only. */
export const consoleApp = ({ runDir, engineVersions, ledgerPath, pageDir }: ConsoleConfig): Hono => {
  const app = new Hono();
  app.use('*', onlyOwnPages);
  app.onError((error, c) => c.json({ error: error.message }, 502));

  const state = shared(async (): Promise<StackState | undefined> => {
    const endpoints = await readEndpoints(runDir);
    return endpoints === undefined ? undefined : stackState(endpoints, engineVersions);
  }, STATE_FRESH_MS);

  app.get('/healthz', (c) => c.json({ live: true }));
  app.get('/api/stack', async (c) => {
    const current = await state();
    return current === undefined ? c.json({ error: noStack }, 503) : c.json(current);
  });
  app.get('/api/ledger', async (c) => c.json(await readLedger(ledgerPath)));

  let placing = 0;
  app.post('/api/orders', bodyLimit({ maxSize: BODY_BYTES_MAX }), async (c) => {
    const endpoints = await readEndpoints(runDir);
    if (endpoints === undefined) return c.json({ error: noStack }, 503);
    if (placing >= ORDERS_MAX) return c.json({ error: `${ORDERS_MAX} orders are under way` }, 429);
    placing++;
    try {
      return c.json(await placeOrder(endpoints, runDir));
    } finally {
      placing--;
    }
  });

  for (const kind of ['query', 'query_range'] as const)
    app.get(`/api/metrics/${kind}`, async (c) => {
      const current = await state();
      if (current === undefined) return c.json({ error: noStack }, 503);
      const { metricsUrl } = current;
      if (metricsUrl === undefined) return c.json({ error: noPrometheus }, 503);
      const proxied = await askPrometheus(metricsUrl, kind, c.req.query());
      if (proxied.kind === 'invalid') return c.json({ error: proxied.error }, 400);
      if (proxied.kind === 'away') return c.json({ error: `Prometheus: ${proxied.error}` }, 502);
      return c.body(proxied.body, proxied.status as 200, { 'content-type': 'application/json' });
    });
  app.all('/api/*', (c) => c.json({ error: 'there is no such thing' }, 404));

  app.use('/assets/*', async (c, next) => {
    await next();
    c.header('cache-control', 'public, max-age=31536000, immutable'); // their names have a hash
  });
  app.use('*', serveStatic({ root: pageDir }));
  app.get('*', serveStatic({ root: pageDir, path: 'index.html' })); // every state of the page has a URL
  return app;
};
