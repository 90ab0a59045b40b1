import type { MiddlewareHandler } from 'hono';

/** The page loads nothing from elsewhere and nobody frames it. React Flow and uPlot set styles of elements. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const loopbackHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/;

/**
 * Only this machine's own pages are answered. A name that was made to point here (DNS rebinding) is told by the Host
 * header; a page of another origin that posts here by its Origin, and by JSON, which a plain form cannot send.
 */
export const onlyOwnPages: MiddlewareHandler = async (c, next) => {
  const host = c.req.header('host') ?? '';
  if (!loopbackHost.test(host)) return c.json({ error: 'the console answers on loopback only' }, 421);
  const origin = c.req.header('origin');
  const site = c.req.header('sec-fetch-site');
  const isForeign =
    (origin !== undefined && origin !== `http://${host}`) ||
    (site !== undefined && site !== 'same-origin' && site !== 'none');
  if (isForeign && c.req.path.startsWith('/api/'))
    return c.json({ error: 'another site may not ask the console' }, 403);
  if (c.req.method === 'POST') {
    if (origin === undefined) return c.json({ error: 'a POST needs an Origin' }, 403);
    if (c.req.header('content-type') !== 'application/json')
      return c.json({ error: 'a POST must be application/json' }, 415);
  }
  await next();
  c.header('content-security-policy', policy);
  c.header('x-content-type-options', 'nosniff');
  c.header('referrer-policy', 'no-referrer');
  c.header('cross-origin-resource-policy', 'same-origin');
  return undefined;
};
