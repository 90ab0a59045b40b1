import { serviceNames } from '@parley/contracts/endpoints';
import { stringify } from 'yaml';
import type { ApisixKey } from '../apisix/keys.ts';
import {
  endsWith,
  escapeRegex,
  globalPlugins,
  pathsOf,
  pluginsOf,
  seconds,
  type Data,
} from '../apisix/model.ts';
import type { GatewayPolicy } from '../policy/policy.ts';
import type { Route } from '../policy/routes.ts';

/** Where in a cluster it applies. */
export interface KubernetesOptions {
  readonly policy: GatewayPolicy;
  readonly namespace: string;
  readonly ingressClassName: string;
  /** The port of each service's HTTP edge, as its Service has it. */
  readonly servicePort: number;
  readonly keys: readonly ApisixKey[];
  /** Whether the cluster's APISIX has been told of a collector, in the metadata of its plugin. */
  readonly traced: boolean;
}

const apiVersion = 'apisix.apache.org/v2';

const listed = (plugins: Data): readonly Data[] =>
  Object.entries(plugins).map(([name, config]) => ({ name, enable: true, config }));

const only = ({ path }: Route): Data =>
  path.kind === 'tree'
    ? {}
    : {
        exprs: [
          { subject: { scope: 'Path' }, op: 'RegexMatch', value: `^${escapeRegex(path.under)}/[^/]+$` },
        ],
      };

const duration = (ms: number): string => `${seconds(ms)}s`;

const forwarded = (route: Route, { policy, servicePort, traced }: KubernetesOptions): Data => ({
  name: route.name,
  priority: 10,
  match: { paths: pathsOf(route), methods: route.methods, ...only(route) },
  timeout: {
    connect: duration(policy.connections.upstreamConnectTimeoutMs),
    send: duration(route.timeoutMs),
    read: duration(route.timeoutMs),
  },
  backends: [{ serviceName: route.service, servicePort }],
  plugins: listed(pluginsOf(route, policy, traced)),
});

const refused = (route: Route, { servicePort }: KubernetesOptions): Data => ({
  name: `${route.name}-method`,
  priority: 0,
  match: { paths: pathsOf(route), ...only(route) },
  backends: [{ serviceName: route.service, servicePort }],
  plugins: listed(endsWith(405, { Allow: route.methods.join(', ') })),
});

/** APISIX's custom resources for the policy, in the order in which they are to be applied. */
export const kubernetesModel = (options: KubernetesOptions): readonly Data[] => {
  const { policy, namespace, ingressClassName, keys, servicePort } = options;
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
        ...policy.routes.flatMap((route) => [forwarded(route, options), refused(route, options)]),
        {
          name: 'nowhere',
          priority: -1,
          match: { paths: ['/*'] },
          backends: [{ serviceName: policy.routes[0]?.service, servicePort }],
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
