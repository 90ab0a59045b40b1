import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { stringify } from 'yaml';
import type { ApisixKey } from '../apisix/keys.ts';
import {
  conditionsOf,
  endsWith,
  globalPlugins,
  leadsToGrpc,
  pathsOf,
  pluginsOf,
  priorityOf,
  seconds,
  type Data,
} from '../apisix/model.ts';
import type { GatewayPolicy } from '../policy/policy.ts';
import type { Route } from '../policy/routes.ts';
import { upstreams, type Upstream } from '../policy/upstreams.ts';

/** Where in a cluster it applies. */
export interface KubernetesOptions {
  readonly policy: GatewayPolicy;
  readonly namespace: string;
  readonly ingressClassName: string;
  /** The ports of each service's edges, as its Service has them. */
  readonly servicePorts: Readonly<Record<Upstream['port'], number>>;
  readonly keys: readonly ApisixKey[];
  /** Whether the cluster's APISIX has been told of a collector, in the metadata of its plugin. */
  readonly traced: boolean;
}

const apiVersion = 'apisix.apache.org/v2';

const listed = (plugins: Data): readonly Data[] =>
  Object.entries(plugins).map(([name, config]) => ({ name, enable: true, config }));

const only = (route: Route): Data => {
  const { path, contentType } = conditionsOf(route);
  const matches = (subject: Data, value: string | undefined): readonly Data[] =>
    value === undefined ? [] : [{ subject, op: 'RegexMatch', value }];
  const exprs = [
    ...matches({ scope: 'Path' }, path),
    ...matches({ scope: 'Header', name: 'Content-Type' }, contentType),
  ];
  return exprs.length === 0 ? {} : { exprs };
};

const backendOf = ({ upstream }: Route, { servicePorts }: KubernetesOptions): Data => ({
  serviceName: upstreams[upstream].service,
  servicePort: servicePorts[upstreams[upstream].port],
});

const duration = (ms: number): string => `${seconds(ms)}s`;

/** A Service has several ports, and its gRPC port another scheme. */
const grpcPortOf = (name: ServiceName, { servicePorts }: KubernetesOptions): Data =>
  Object.values(upstreams).some(({ service, port }) => service === name && port === 'grpc')
    ? { portLevelSettings: [{ port: servicePorts.grpc, scheme: 'grpc' }] }
    : {};

const forwarded = (route: Route, options: KubernetesOptions): Data => {
  const { policy, traced } = options;
  return {
    name: route.name,
    priority: priorityOf(route, policy).forwarded,
    match: { paths: pathsOf(route), methods: route.methods, ...only(route) },
    timeout: {
      connect: duration(policy.connections.upstreamConnectTimeoutMs),
      send: duration(route.timeoutMs),
      read: duration(route.timeoutMs),
    },
    websocket: route.webSocket ?? false,
    backends: [backendOf(route, options)],
    plugins: listed(pluginsOf(route, policy, traced)),
  };
};

const refused = (route: Route, options: KubernetesOptions): readonly Data[] =>
  leadsToGrpc(route)
    ? []
    : [
        {
          name: `${route.name}-method`,
          priority: priorityOf(route, options.policy).refused,
          match: { paths: pathsOf(route), ...only(route) },
          backends: [backendOf(route, options)],
          plugins: listed(endsWith(405, { Allow: route.methods.join(', ') })),
        },
      ];

/** APISIX's custom resources for the policy, in the order in which they are to be applied. */
export const kubernetesModel = (options: KubernetesOptions): readonly Data[] => {
  const { policy, namespace, ingressClassName, keys, servicePorts } = options;
  const resource = (kind: string, name: string, spec: Data): Data => ({
    apiVersion,
    kind,
    metadata: { name, namespace },
    spec: { ingressClassName, ...spec },
  });
  return [
    ...serviceNames.map((name) =>
      resource('ApisixUpstream', name, {
        scheme: 'http',
        ...grpcPortOf(name, options),
        loadbalancer: { type: 'roundrobin' },
        retries: policy.retry.attemptsMax,
      }),
    ),
    ...keys.map(({ kid, algorithm, publicKey }, index) =>
      resource('ApisixConsumer', `issuer-${index + 1}`, {
        authParameter: {
          jwtAuth: {
            value: {
              key: kid,
              algorithm,
              public_key: publicKey,
              lifetime_grace_period: policy.tokens.clockSkewSeconds,
            },
          },
        },
      }),
    ),
    resource('ApisixGlobalRule', 'every-request', { plugins: listed(globalPlugins(policy)) }),
    resource('ApisixRoute', 'parley', {
      http: [
        ...policy.routes.flatMap((route) => [forwarded(route, options), ...refused(route, options)]),
        {
          name: 'nowhere',
          priority: 0,
          match: { paths: ['/*'] },
          backends: [{ serviceName: serviceNames[0], servicePort: servicePorts.http }], // none is asked
          plugins: listed(endsWith(404)),
        },
      ],
    }),
  ];
};

/** The resources as one file of YAML documents. */
export const renderKubernetes = (options: KubernetesOptions): string =>
  kubernetesModel(options)
    .map((resource) => `---\n${stringify(resource, { aliasDuplicateObjects: false, lineWidth: 0 })}`)
    .join('');
