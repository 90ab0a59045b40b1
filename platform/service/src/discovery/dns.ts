import { Resolver, type SrvRecord } from 'node:dns';
import { promisify } from 'node:util';
import { messageOf } from '../errors.ts';
import { startLoop } from '../loop.ts';
import type { Discovery, DiscoveryLog } from './discovery.ts';
import type { Instance } from './instance.ts';
import { KnownInstances } from './known-instances.ts';

/** As long as Kubernetes' DNS lets an answer be kept. */
const POLL_EVERY_MS = 5_000;
const QUERY_TIMEOUT_MS = 1_000;
const QUERY_TRIES = 2;
/** Longer than the callers' period of reading. */
const LEAVE_MS = 6_000;
const VERSION = 'unknown';

export interface DnsOptions {
  /** Behind the name of a service: `parley.svc.cluster.local`. */
  readonly domain: string;
  /** Services whose instances are followed. */
  readonly services: readonly string[];
  readonly log: DiscoveryLog;
  /** `ip:port` of the DNS servers to ask. Default: the machine's. */
  readonly servers?: readonly string[];
  /** What is called until DNS has answered for the first time. */
  readonly seed?: readonly Instance[];
  readonly pollEveryMs?: number;
}

const protocols = ['http', 'grpc'] as const;

interface Records<T> {
  readonly records: readonly T[];
  /** False: DNS does not know the name, or no longer. */
  readonly isName: boolean;
}

/** What DNS has of a name, none included. @throws when it did not answer */
const recordsOf = async <T>(answer: Promise<readonly T[]>): Promise<Records<T>> => {
  try {
    return { records: await answer, isName: true };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENODATA' || code === 'ENOTFOUND') return { records: [], isName: code === 'ENODATA' };
    throw error;
  }
};

/** Asks for the pods of a service, and whether DNS knows the service's name. */
const lookupIn = (resolver: Resolver, domain: string) => {
  const srv = promisify<string, SrvRecord[]>(resolver.resolveSrv.bind(resolver));
  const a = promisify<string, string[]>(resolver.resolve4.bind(resolver));

  return async (
    service: string,
  ): Promise<{ readonly instances: readonly Instance[]; readonly isNamed: boolean }> => {
    const answers = await Promise.all(
      protocols.map(async (protocol) => {
        const { records, isName } = await recordsOf(srv(`_${protocol}._tcp.${service}.${domain}`));
        return { records: records.map((record) => ({ protocol, ...record })), isName };
      }),
    );
    const byTarget = Map.groupBy(
      answers.flatMap(({ records }) => records),
      ({ name }) => name,
    );
    const instances = [...byTarget].map(async ([id, ports]): Promise<readonly Instance[]> => {
      const [host] = (await recordsOf(a(id))).records;
      if (host === undefined) return []; // it left between the two questions
      const of = Object.fromEntries(ports.map(({ protocol, port }) => [protocol, port]));
      return [{ service, id, version: VERSION, host, ports: of }];
    });
    return {
      instances: (await Promise.all(instances)).flat(),
      isNamed: answers.some(({ isName }) => isName),
    };
  };
};

/**
 * Asks whether DNS has the cluster's zone, by a name of it that exists whatever runs: `dns-version` (Kubernetes' DNS
 * specification, 2.2), or else the API server's service. False also when it does not answer.
 */
const zoneLookupIn = (resolver: Resolver, domain: string) => {
  const txt = promisify<string, string[][]>(resolver.resolveTxt.bind(resolver));
  const a = promisify<string, string[]>(resolver.resolve4.bind(resolver));
  const zone = /(?:^|\.)svc\.(.+)$/.exec(domain)?.[1];
  const exists = async (answer: Promise<readonly unknown[]>): Promise<boolean> => {
    try {
      return (await recordsOf(answer)).isName;
    } catch {
      return false;
    }
  };

  return async (): Promise<boolean> => {
    if (zone === undefined) return false;
    return (await exists(txt(`dns-version.${zone}`))) || (await exists(a(`kubernetes.default.svc.${zone}`)));
  };
};

/**
 * Discovery by Kubernetes' DNS: a headless service has an SRV record for each ready pod and named port
 * (`_http._tcp.<service>.<domain>`), whose target has an A record. The platform lists and removes pods; `join` and
 * `leave` tell nobody, and `leave` waits until callers have asked again. A DNS server that does not answer leaves the
 * last known list as it is. A name that is not known (NXDOMAIN) is a service without a ready pod (Kubernetes' DNS
 * specification, 2.4.1) where DNS has the zone of the cluster. Where it has not, the service was lost with the zone: its
 * last known pods stay for a while.
 */
export const openDns = (options: DnsOptions): Discovery => {
  const { domain, services, log, pollEveryMs = POLL_EVERY_MS } = options;
  const known = new KnownInstances(options.seed);
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  if (options.servers !== undefined) resolver.setServers(options.servers);
  const instancesOf = lookupIn(resolver, domain);
  const hasZone = zoneLookupIn(resolver, domain);

  let isAway = false;
  const failed = (error: unknown): void => {
    if (!isAway) log.warn({ reason: messageOf(error) }, 'DNS is away; the last known list is kept');
    isAway = true;
  };
  const read = async (): Promise<void> => {
    const answers = await Promise.all(services.map(instancesOf));
    const named = services.filter((_service, at) => answers[at]?.isNamed === true);
    const isComplete = named.length === services.length || (await hasZone());
    known.replace(
      answers.flatMap(({ instances }) => instances),
      new Set(isComplete ? services : named),
    );
    if (isAway) log.info({}, 'DNS answers');
    isAway = false;
  };
  let following: { stop: () => Promise<void> } | undefined;
  let hasJoined = false;
  return {
    resolve: known.resolve,
    start: async () => {
      await read().catch(failed);
      following = startLoop({ work: read, pauseMs: pollEveryMs, failed });
    },
    join: () => {
      hasJoined = true;
      return Promise.resolve();
    },
    leave: async (msMax = LEAVE_MS) => {
      if (!hasJoined) return;
      hasJoined = false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(LEAVE_MS, msMax)));
    },
    close: async () => {
      resolver.cancel();
      await following?.stop();
    },
    report: () => ({
      kind: 'dns',
      ageMs: known.ageMs() ?? null,
      listed: hasJoined,
      services: known.all(),
      staleMs: known.staleMs(),
    }),
  };
};
