import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { waitLimits } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { gatewayPolicy } from '../policy/policy.ts';
import { upstreamNames } from '../policy/upstreams.ts';
import { renderEnvoy, type EnvoyOptions } from './render.ts';

const at = (port: number) => ({ host: '127.0.0.1', port });
const { routes } = gatewayPolicy;
const options: EnvoyOptions = {
  policy: gatewayPolicy,
  listen: at(1),
  admin: at(2),
  upstreams: {
    order: [at(3)],
    product: [at(4), at(14)],
    payment: [at(5)],
    notification: [at(6)],
    shipping: [at(7)],
    'product-grpc': [at(9)],
  },
  jwksPath: '/run/jwks.json',
  zipkin: at(8),
  accessLogPath: '/run/access.jsonl',
};

const RouteEntry = z.looseObject({
  name: z.string(),
  match: z.looseObject({ path_separated_prefix: z.string().optional() }),
  route: z.looseObject({ cluster: z.string(), timeout: z.string().optional() }).optional(),
  direct_response: z.object({ status: z.int() }).optional(),
  typed_per_filter_config: z.record(z.string(), z.unknown()).optional(),
  request_headers_to_add: z.array(z.unknown()).optional(),
});
const Mapper = z.looseObject({
  status_code: z.int(),
  body_format_override: z.union([
    z.object({ text_format_source: z.object({ inline_string: z.string() }) }),
    z.object({
      content_type: z.literal('application/problem+json'),
      json_format: z.object({
        type: z.string(),
        title: z.string(),
        status: z.int(),
        code: z.string(),
        correlationId: z.string(),
      }),
    }),
  ]),
  headers_to_add: z.array(z.looseObject({ header: z.object({ key: z.string(), value: z.string() }) })),
});
const Manager = z.looseObject({
  tracing: z.unknown().optional(),
  early_header_mutation_extensions: z.unknown(),
  http_filters: z.array(z.looseObject({ name: z.string() })),
  local_reply_config: z.object({ mappers: z.array(Mapper) }),
  route_config: z.looseObject({
    virtual_hosts: z.tuple([z.looseObject({ routes: z.array(RouteEntry) })]),
  }),
});
const LoadAssignment = z.looseObject({
  endpoints: z.tuple([
    z.object({
      lb_endpoints: z.array(
        z.object({
          endpoint: z.object({
            address: z.object({ socket_address: z.looseObject({ port_value: z.int() }) }),
          }),
        }),
      ),
    }),
  ]),
});
const Bootstrap = z.looseObject({
  admin: z.unknown(),
  static_resources: z.object({
    listeners: z.tuple([
      z.looseObject({
        filter_chains: z.tuple([z.object({ filters: z.tuple([z.looseObject({ typed_config: Manager })]) })]),
      }),
    ]),
    clusters: z.array(z.looseObject({ name: z.string(), load_assignment: LoadAssignment })),
  }),
});

const Anonymous = z.looseObject({ filter_context: z.looseObject({ anonymous: z.literal(true) }) });

const Clusters = z.object({
  static_resources: z.object({
    clusters: z.array(
      z.looseObject({
        name: z.string(),
        type: z.string(),
        eds_cluster_config: z
          .looseObject({ eds_config: z.looseObject({ path_config_source: z.unknown() }) })
          .optional(),
      }),
    ),
  }),
});

const render = (over: Partial<EnvoyOptions> = {}) => {
  const bootstrap = Bootstrap.parse(parse(renderEnvoy({ ...options, ...over })));
  const manager = bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
  return { bootstrap, manager, entries: manager.route_config.virtual_hosts[0].routes };
};

describe('the rendered gateway', () => {
  it('has for each route one way in, and behind it a refusal of every other method, but of a call', () => {
    const entries = render().entries.filter(({ name }) => name !== 'preflight');
    expect(entries.map((entry) => entry.name)).toEqual(
      routes.flatMap(({ name }) => (name === 'products-grpc' ? [name] : [name, `${name} method`])),
    );
    for (const { name, upstream } of routes)
      expect(entries.find((entry) => entry.name === name)?.route).toMatchObject({ cluster: upstream });
    for (const { name, direct_response } of entries)
      expect(direct_response, name).toEqual(name.endsWith(' method') ? { status: 405 } : undefined);
  });

  it('asks for a token exactly where the route says so', () => {
    const asked = render().entries.flatMap(({ name, typed_per_filter_config: filters = {} }) =>
      z.object({ requirement_name: z.literal('user') }).safeParse(filters['envoy.filters.http.jwt_authn'])
        .success
        ? [name]
        : [],
    );
    expect(asked).toEqual(routes.filter((route) => route.authenticated).map((route) => route.name));
    expect(asked).toEqual([
      'order-events',
      'orders',
      'products-grpc',
      'payment',
      'notifications',
      'shipment',
    ]);
  });

  it('counts the requests of every route', () => {
    const { requests, windowSeconds } = gatewayPolicy.limits.client;
    for (const { name } of routes) {
      const entry = render().entries.find((each) => each.name === name);
      expect(entry?.typed_per_filter_config?.['parley.admission'], name).toMatchObject({
        filter_context: { requests, windowSeconds },
      });
    }
  });

  it('knows how long each route lasts, to tell its service', () => {
    for (const { name, timeoutMs } of routes) {
      const entry = render().entries.find((each) => each.name === name);
      expect(entry?.typed_per_filter_config?.['parley.arrival'], name).toMatchObject({
        filter_context: { timeoutMs },
      });
      expect(entry?.request_headers_to_add, name).toMatchObject([
        { header: { key: 'x-parley-timeout-ms', value: String(timeoutMs) }, append_action: 'ADD_IF_ABSENT' },
      ]);
    }
  });

  it('answers by itself only with problems of the catalog, under their status', () => {
    for (const mapper of render().manager.local_reply_config.mappers) {
      if (!('json_format' in mapper.body_format_override)) continue;
      const { code, status, title } = mapper.body_format_override.json_format;
      const definition = Object.entries(errorCatalog).find(([name]) => name === code)?.[1];
      expect({ status, title }).toEqual({ status: definition?.httpStatus, title: definition?.title });
      expect(mapper.status_code).toBe(status);
    }
  });

  it('answers a call by itself with the same error’s gRPC status, before it answers anyone else', () => {
    const { mappers } = render().manager.local_reply_config;
    for (const [index, { body_format_override: body, headers_to_add: headers }] of mappers.entries()) {
      if (!('text_format_source' in body)) continue;
      const problem = mappers[index + 1]?.body_format_override;
      const code = problem !== undefined && 'json_format' in problem ? problem.json_format.code : '';
      const definition = Object.entries(errorCatalog).find(([name]) => name === code)?.[1];
      expect(body.text_format_source.inline_string).toBe(definition?.title);
      expect(headers.map(({ header: { key, value } }) => [key, value])).toEqual([
        ['grpc-status', String(definition?.grpcStatus)],
        ['parley-code', code],
      ]);
    }
  });

  it('gives every route more time than a service may wait for a log position', () => {
    for (const { name, timeoutMs } of routes)
      expect(timeoutMs - waitLimits.maxMs, name).toBeGreaterThanOrEqual(1000);
  });

  it('shares the requests of a service out to all its instances', () => {
    const { clusters } = render().bootstrap.static_resources;
    const ports = clusters.map(({ name, load_assignment: { endpoints } }) => [
      name,
      ...endpoints[0].lb_endpoints.map(({ endpoint }) => endpoint.address.socket_address.port_value),
    ]);
    expect(ports).toContainEqual(['product', 4, 14]);
    expect(ports).toContainEqual(['order', 3]);
  });

  it('has the instances of every service read from a file of its own when they are followed', () => {
    const clusters = Clusters.parse(
      parse(renderEnvoy({ ...options, upstreams: { followed: '/run/upstreams' } })),
    ).static_resources.clusters.filter(({ type }) => type === 'EDS');
    expect(clusters.map(({ name }) => name)).toEqual(upstreamNames);
    for (const { name, eds_cluster_config } of clusters)
      expect(eds_cluster_config?.eds_config.path_config_source).toEqual({
        path: `/run/upstreams/${name}.json`,
        watched_directory: { path: '/run/upstreams' },
      });
  });

  it('removes an identity that a client claims before any filter reads it', () => {
    expect(JSON.stringify(render().manager.early_header_mutation_extensions)).toContain(
      '{"remove":"x-user-id"}',
    );
  });

  it('settles the correlation id before any filter that can refuse', () => {
    const filters = render().manager.http_filters.map((filter) => filter.name);
    expect(filters.indexOf('parley.arrival')).toBeLessThan(filters.indexOf('envoy.filters.http.jwt_authn'));
    expect(filters.at(-1)).toBe('envoy.filters.http.router');
  });

  it('looks at the subject of a token once it is verified, and before the service sees it', () => {
    const filters = render().manager.http_filters.map((filter) => filter.name);
    const [verified, looked] = ['envoy.filters.http.jwt_authn', 'parley.admission'].map((name) =>
      filters.indexOf(name),
    );
    expect(looked).toBe((verified ?? 0) + 1);
    for (const { name, typed_per_filter_config: filtered = {} } of render().entries)
      expect(Anonymous.safeParse(filtered['parley.admission']).success, name).toBe(
        routes.some((route) => route.name === name && !route.authenticated),
      );
  });

  it('makes no spans without a place for them', () => {
    const { bootstrap, manager } = render({ zipkin: undefined });
    expect(manager.tracing).toBeUndefined();
    expect(JSON.stringify(manager.http_filters)).not.toContain('decide_on_trace');
    expect(JSON.stringify(render().manager.http_filters)).toContain('decide_on_trace');
    expect(bootstrap.static_resources.clusters.map((cluster) => cluster.name)).not.toContain('zipkin');
  });

  it('is the same text for the same options', () => {
    expect(renderEnvoy(options)).toBe(renderEnvoy({ ...options }));
  });
});
