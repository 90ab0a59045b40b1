import type { ServiceName } from '@parley/contracts/endpoints';
import type { MeshPolicy, TrafficRule } from './policy.ts';
import { resource, type Resource } from './resources.ts';
import { hostOf, type Topology } from './topology.ts';

const networking = 'networking.istio.io/v1';

const duration = (valueMs: number): string => `${valueMs / 1000}s`;
const share = (percent: number): { readonly percentage: { readonly value: number } } => ({
  percentage: { value: percent },
});

const faultOf = ({ delay, abort }: TrafficRule): object | undefined =>
  delay === undefined && abort === undefined
    ? undefined
    : {
        ...(delay === undefined
          ? {}
          : { delay: { fixedDelay: duration(delay.delayMs), ...share(delay.percent) } }),
        ...(abort === undefined ? {} : { abort: { httpStatus: abort.httpStatus, ...share(abort.percent) } }),
      };

const matchOf = ({ when }: TrafficRule): object | undefined =>
  when === undefined
    ? undefined
    : {
        ...(when.header === undefined
          ? {}
          : { headers: { [when.header.name]: { exact: when.header.value } } }),
        ...(when.pathPrefix === undefined ? {} : { uri: { prefix: when.pathPrefix } }),
      };

const route = (host: string, rule: TrafficRule): object => {
  const match = matchOf(rule);
  const fault = faultOf(rule);
  const { name, split, mirror, timeoutMs, retries } = rule;
  return {
    name,
    ...(match === undefined ? {} : { match: [match] }),
    ...(fault === undefined ? {} : { fault }),
    route: split.map(({ version, weight }) => ({ destination: { host, subset: version }, weight })),
    ...(mirror === undefined
      ? {}
      : { mirror: { host, subset: mirror.version }, mirrorPercentage: { value: mirror.percent } }),
    ...(timeoutMs === undefined ? {} : { timeout: duration(timeoutMs) }),
    ...(retries === undefined
      ? {}
      : {
          retries: {
            attempts: retries.attempts,
            ...(retries.perTryTimeoutMs === undefined
              ? {}
              : { perTryTimeout: duration(retries.perTryTimeoutMs) }),
          },
        }),
  };
};

const versionsOf = (service: ServiceName, { workloads }: Topology): readonly string[] => [
  ...new Set(workloads.filter((workload) => workload.service === service).map(({ version }) => version)),
];

/** How calls to a service are made: with the caller's certificate, to its versions by name. */
const destinationRule = (service: ServiceName, { traffic }: MeshPolicy, topology: Topology): Resource => {
  const max = traffic.find((entry) => entry.service === service)?.requestsPerConnectionMax;
  return resource({
    apiVersion: networking,
    kind: 'DestinationRule',
    name: service,
    body: {
      spec: {
        host: hostOf(service),
        trafficPolicy: {
          tls: { mode: 'ISTIO_MUTUAL' },
          ...(max === undefined ? {} : { connectionPool: { http: { maxRequestsPerConnection: max } } }),
        },
        subsets: versionsOf(service, topology).map((version) => ({ name: version, labels: { version } })),
      },
    },
  });
};

/** Throws a RangeError when a rule names a version that no workload has: its requests would be answered 503. */
const refuseUnknownVersions = (
  service: ServiceName,
  rules: readonly TrafficRule[],
  topology: Topology,
): void => {
  const known = versionsOf(service, topology);
  for (const { name, split, mirror } of rules)
    for (const version of [...split.map((part) => part.version), ...(mirror ? [mirror.version] : [])])
      if (!known.includes(version))
        throw new RangeError(
          `${service}, rule ${name}: version ${version} does not run; these do: ${known.join(', ') || 'none'}`,
        );
};

/** Names by which callers ask for a service: besides its own, the addresses at which their sidecars take such calls. */
const namesOf = (service: ServiceName, { listeners = [] }: Topology): readonly string[] => [
  hostOf(service),
  ...listeners.flatMap(({ outbound }) => outbound[service] ?? []),
];

/** Undefined for a service whose calls need no rule: any instance, asked for by name. */
const virtualService = (
  service: ServiceName,
  { traffic }: MeshPolicy,
  topology: Topology,
): Resource | undefined => {
  const hosts = namesOf(service, topology);
  const host = hostOf(service);
  const rules = traffic.find((entry) => entry.service === service)?.rules;
  if (rules === undefined && hosts.length === 1) return undefined;
  refuseUnknownVersions(service, rules ?? [], topology);
  const http = rules?.map((rule) => route(host, rule)) ?? [{ route: [{ destination: { host } }] }];
  return resource({
    apiVersion: networking,
    kind: 'VirtualService',
    name: service,
    body: { spec: { hosts, http } },
  });
};

/** DestinationRule of every service, VirtualService of those whose calls need one. */
export const renderTraffic = (policy: MeshPolicy, topology: Topology): readonly Resource[] => [
  ...topology.services.map(({ name }) => destinationRule(name, policy, topology)),
  ...topology.services.flatMap(({ name }) => virtualService(name, policy, topology) ?? []),
];
