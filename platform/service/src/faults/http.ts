import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { requestContext } from '../context.ts';
import { routeNameOf } from '../http/route-name.ts';
import { aborted } from './aborted.ts';
import type { FaultInjector } from './injector.ts';

/** Lets the faults of the process befall a request, before anything looks at it. */
export const httpFaults =
  (faults: FaultInjector): MiddlewareHandler =>
  async (c, next) => {
    const befallen = await faults.meet(routeNameOf(c));
    switch (befallen?.kind) {
      case undefined:
      case 'none':
        return next();
      case 'error': {
        const body = {
          type: 'urn:parley:injected-fault',
          title: 'A fault on purpose',
          status: befallen.status,
        };
        return c.body(JSON.stringify(body), befallen.status as ContentfulStatusCode, {
          'content-type': 'application/problem+json',
        });
      }
      case 'hang':
        await aborted(requestContext()?.signal);
        return c.body(null, 504);
      case 'reset':
        (c.env as Partial<HttpBindings>).incoming?.socket.resetAndDestroy();
        return c.body(null, 503);
    }
  };
