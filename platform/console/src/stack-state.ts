import { connect } from 'node:net';
import type { Endpoints } from '@parley/contracts/endpoints';
import { rabbitmqAuthorization } from '@parley/engines/rabbitmq-account';
import { z } from 'zod';
import type { EngineState, InstanceState, StackState } from './api.ts';

const PROBE_TIMEOUT_MS = 1_500;
const DETAIL_CHARACTERS_MAX = 300;

interface Health {
  readonly up: boolean;
  readonly detail?: string | undefined;
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer in ${PROBE_TIMEOUT_MS} ms`;
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
};

/** The checks that are not ready, in their own words. */
const awaited = (report: unknown): string | undefined => {
  if (typeof report !== 'object' || report === null || !('checks' in report)) return undefined;
  const waiting = Object.entries(report.checks as Record<string, { ready?: boolean; detail?: string }>)
    .filter(([, check]) => check.ready === false)
    .map(([name, { detail }]) => (detail === undefined ? name : `${name}: ${detail}`));
  return waiting.length === 0 ? undefined : waiting.join('; ').slice(0, DETAIL_CHARACTERS_MAX);
};

const readiness = async (ops: string): Promise<Health> => {
  try {
    const response = await fetch(`${ops}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return { up: response.ok, detail: awaited(await response.json()) };
  } catch (error) {
    return { up: false, detail: reasonOf(error) };
  }
};

/** An engine is up when it answers HTTP at all, whoever it lets in. */
const answersHttp = async (url: string): Promise<Health> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS), redirect: 'manual' });
    await response.body?.cancel();
    return response.status < 500 ? { up: true } : { up: false, detail: `HTTP ${response.status}` };
  } catch (error) {
    return { up: false, detail: reasonOf(error) };
  }
};

const rabbitmqHeaders = { authorization: rabbitmqAuthorization };
const OfRabbitmq = z.object({ rabbitmq_version: z.string() }).transform((body) => body.rabbitmq_version);
const OfPrometheus = z
  .object({ data: z.object({ version: z.string() }) })
  .transform(({ data }) => data.version);

/** The version that an engine says it is; undefined when it does not answer that. */
const versionSaid = async (
  url: string,
  Version: z.ZodType<string>,
  headers: Readonly<Record<string, string>> = {},
): Promise<string | undefined> => {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return Version.safeParse(await response.json()).data;
  } catch {
    return undefined;
  }
};

/** ApiVersions, version 0, correlation id 0, no client id: every broker answers it, to anybody. */
const apiVersionsRequest = Buffer.from('0000000a' + '0012' + '0000' + '00000000' + 'ffff', 'hex');

/** An open port is too little: of a broker that hangs, the kernel still accepts. */
const answersKafka = (address: string): Promise<Health> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(`tcp://${address}`);
    const socket = connect({ host: hostname, port: Number(port), timeout: PROBE_TIMEOUT_MS });
    const end = (health: Health): void => {
      socket.destroy();
      resolve(health);
    };
    socket.once('connect', () => socket.write(apiVersionsRequest));
    socket.once('data', () => {
      end({ up: true });
    });
    socket.once('end', () => {
      end({ up: false, detail: 'it ended the connection' });
    });
    socket.once('timeout', () => {
      end({ up: false, detail: `no answer in ${PROBE_TIMEOUT_MS} ms` });
    });
    socket.once('error', (error) => {
      end({ up: false, detail: error.message });
    });
  });

/** One engine: what it is called, where it is looked at, and how it is asked. */
interface Probe {
  readonly name: string;
  readonly address: string;
  readonly ask: () => Promise<Health>;
  /** Of an engine that Debian packages: its declaration does not know which version is installed. */
  readonly askVersion?: () => Promise<string | undefined>;
}

const probesOf = (endpoints: Endpoints): readonly Probe[] => {
  const { gateway, kafka, registry, rabbitmq, traces, metrics, logs, discovery } = endpoints;
  const http = (name: string, address: string, url = address): Probe => ({
    name,
    address,
    ask: () => answersHttp(url),
  });
  return [
    http('envoy', gateway.url, `${gateway.admin}/ready`),
    ...kafka.bootstrap.split(',').map((address, at) => ({
      name: at === 0 ? 'kafka' : `kafka-${at + 1}`,
      address,
      ask: () => answersKafka(address),
    })),
    http('registry', registry.url, `${registry.url}/subjects`),
    {
      ...http('rabbitmq', rabbitmq.management),
      askVersion: () => versionSaid(`${rabbitmq.management}/api/overview`, OfRabbitmq, rabbitmqHeaders),
    },
    http('zipkin', traces.ui, `${traces.api}/services`),
    ...(metrics === undefined
      ? []
      : [
          {
            ...http('prometheus', metrics.url),
            askVersion: () => versionSaid(`${metrics.url}/api/v1/status/buildinfo`, OfPrometheus),
          },
        ]),
    ...(logs === undefined ? [] : [http('victoria-logs', logs.ui, logs.url)]),
    // Its page is beside its REST interface, not below it.
    ...(discovery === undefined ? [] : [http('eureka', new URL('/', discovery.url).href, discovery.url)]),
  ];
};

const instancesOf = ({ instances }: Endpoints): readonly Omit<InstanceState, 'up' | 'detail'>[] =>
  instances.map(({ id, service, version, host, ports }) => ({
    id,
    service,
    version,
    http: `http://${host}:${ports.http}`,
    ops: `http://${host}:${ports.ops}`,
  }));

/** Asks everything of the stack at once; bounded by the timeout of one probe. */
export const stackState = async (
  endpoints: Endpoints,
  versions: Readonly<Record<string, string>>,
): Promise<StackState> => {
  const [instances, engines] = await Promise.all([
    Promise.all(
      instancesOf(endpoints).map(async (one): Promise<InstanceState> => ({
        ...one,
        ...(await readiness(one.ops)),
      })),
    ),
    Promise.all(
      probesOf(endpoints).map(async ({ name, address, ask, askVersion }): Promise<EngineState> => {
        const [health, said] = await Promise.all([ask(), askVersion?.()]);
        return { name, address, version: said ?? versions[name], ...health };
      }),
    ),
  ]);
  const { gateway, traces, rabbitmq, metrics, logs } = endpoints;
  return {
    checkedAtMs: Date.now(),
    instances,
    engines,
    links: [
      { label: 'Gateway', url: gateway.url },
      { label: 'GraphQL explorer', url: `${gateway.url}/graphql` },
      { label: 'Traces', url: traces.ui },
      ...(metrics === undefined ? [] : [{ label: 'Metrics', url: metrics.url }]),
      ...(logs === undefined ? [] : [{ label: 'Logs', url: logs.ui }]),
      { label: 'Queues', url: rabbitmq.management },
    ],
    metricsUrl: metrics?.url,
    tracesUrl: traces.ui,
  };
};
