import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitLimits } from '@parley/contracts/consistency';
import { ProductServiceService } from '@parley/contracts/grpc/product';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { routes, type PathMatch, type Route } from './routes.ts';
import { upstreams } from './upstreams.ts';

const OpenApi = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        tags: z.array(z.string()).length(1),
        'x-parley-access': z.enum(['customer', 'public', 'internal']),
        security: z.array(z.unknown()),
      }),
    ),
  ),
});

const document = OpenApi.parse(
  JSON.parse(readFileSync(join(import.meta.dirname, '../../../contracts/openapi.json'), 'utf8')),
);
const operations = Object.entries(document.paths).flatMap(([path, byMethod]) =>
  Object.entries(byMethod).map(([method, operation]) => ({
    id: operation.operationId,
    method: method.toUpperCase(),
    path: path.replaceAll(/\{\w+\}/g, 'value'),
    service: operation.tags[0],
    access: operation['x-parley-access'],
    secured: operation.security.length > 0,
  })),
);
type Operation = (typeof operations)[number];
const reachable = operations.filter(({ access }) => access !== 'internal');

const takes = (match: PathMatch, path: string): boolean => {
  switch (match.kind) {
    case 'tree':
      return path === match.path || path.startsWith(`${match.path}/`);
    case 'item':
      return (
        path.startsWith(`${match.under}/`) &&
        new RegExp(`^[^/]+${match.then === undefined ? '' : `/${match.then}`}$`).test(
          path.slice(match.under.length + 1),
        )
      );
    case 'exact':
      return match.paths.includes(path);
  }
};
/** The first route that takes the path decides, whatever the method. */
const routeOf = ({ path }: Operation): Route | undefined => routes.find((route) => takes(route.path, path));

describe('the gateway and openapi.json', () => {
  it('name operations at all', () => {
    expect(reachable.length).toBeGreaterThan(5);
    expect(operations.length).toBeGreaterThan(reachable.length);
  });

  it.each(reachable.map((operation) => [operation.id, operation] as const))(
    '%s is reached at its service, with a token exactly when it asks for one',
    (_id, operation) => {
      const route = routeOf(operation);
      expect(route).toMatchObject({
        upstream: operation.service,
        authenticated: operation.access === 'customer',
      });
      expect(operation.secured).toBe(operation.access === 'customer');
      expect(route?.methods).toContain(operation.method);
    },
  );

  it.each(operations.filter(({ access }) => access === 'internal').map((each) => [each.id, each] as const))(
    '%s is for services only and has no way in',
    (_id, operation) => {
      expect(routeOf(operation)?.methods ?? []).not.toContain(operation.method);
    },
  );

  const overRest = routes.filter(({ upstream }) => upstreams[upstream].port === 'http');
  it.each(overRest.flatMap((route) => route.methods.map((method) => [method, route.name, route] as const)))(
    '%s on the route %s leads to a documented operation',
    (method, _name, route) => {
      const documented = method === 'HEAD' ? 'GET' : method; // HTTP: a HEAD is a GET without its body
      const led = reachable.filter((each) => routeOf(each) === route && each.method === documented);
      expect(led.map(({ id }) => id)).not.toEqual([]);
    },
  );
});

it('of gRPC, what a client may read is reached and what only orders may do is not', () => {
  const { getProduct, checkInventory, reserveStock, releaseStock } = ProductServiceService;
  const led = (path: string): string | undefined => routes.find((route) => takes(route.path, path))?.name;
  expect([getProduct, checkInventory].map(({ path }) => led(path))).toEqual([
    'products-grpc',
    'products-grpc',
  ]);
  expect([reserveStock, releaseStock].map(({ path }) => led(path))).toEqual([undefined, undefined]);
});

it('no route gives up before the longest wait for a position is over: the answer is the service’s own', () => {
  for (const { timeoutMs } of routes) expect(timeoutMs).toBeGreaterThan(waitLimits.maxMs);
});
