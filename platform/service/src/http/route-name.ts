import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';

/** The pattern of the route that a request matches; undefined when none does. */
export const routeOf = (c: Context): string | undefined =>
  matchedRoutes(c).findLast((route) => route.path !== '*' && route.path !== '/*')?.path;

/** As faults and operators name it: `POST /api/v1/payments`. */
export const routeNameOf = (c: Context): string => `${c.req.method} ${routeOf(c) ?? c.req.path}`;
