import { z } from 'zod';
import type { Instance } from './instance.ts';

/** Milliseconds that one call of the registry takes at most. */
export const TIMEOUT_MS = 2_000;
const NOT_FOUND = 404;

/** Seconds between two renewals of a lease. */
export const RENEW_EVERY_S = 3;
/** Seconds that a lease lasts. Eureka counts them twice: an instance that was killed is gone after 16 s, and up to 2 s more. */
const LEASE_S = 8;

/** How an instance says that it is. LEAVING: it is listed a little longer, so that callers see it leave. */
export type EurekaStatus = 'UP' | 'DOWN' | 'LEAVING';

/** An instance with its status in the registry. */
export interface Registered {
  readonly instance: Instance;
  readonly status: string;
}

/** The registry answered something that was not expected, or not in time. */
export class EurekaFailure extends Error {}

// Numbers come as strings in places, and a list of one may come without its brackets.
const number = z.coerce.number().int();
const list = <T extends z.ZodType>(item: T) =>
  z.union([z.array(item), item.transform((one) => [one])]).default([]);

const EurekaInstance = z.object({
  instanceId: z.string(),
  app: z.string(),
  hostName: z.string(),
  status: z.string(),
  port: z.object({ $: number, '@enabled': z.coerce.string() }),
  metadata: z
    .object({
      version: z.string().optional(),
      leaving: z.string().optional(),
      opsPort: number.optional(),
      grpcPort: number.optional(),
    })
    .optional(),
});
const EurekaApps = z.object({
  applications: z.object({ application: list(z.object({ instance: list(EurekaInstance) })) }),
});

const instanceOf = ({
  instanceId,
  app,
  hostName,
  port,
  metadata = {},
}: z.infer<typeof EurekaInstance>): Instance => ({
  service: app.toLowerCase(),
  id: instanceId,
  version: metadata.version ?? 'unknown',
  host: hostName,
  ports: {
    http: port['@enabled'] === 'true' ? port.$ : undefined,
    ops: metadata.opsPort,
    grpc: metadata.grpcPort,
  },
});

const opsOf = ({ host, ports }: Instance): string => `http://${host}:${ports.ops ?? 0}`;

/**
 * The registration of an instance as Eureka stores it. LEAVING is sent as DOWN with metadata: Eureka ignores OUT_OF_SERVICE
 * in a registration whose lease is UP, and a status override would outlive the instance and apply to the next one of its id.
 */
const leaseOf = (instance: Instance, status: EurekaStatus): object => ({
  instance: {
    instanceId: instance.id,
    app: instance.service.toUpperCase(),
    hostName: instance.host,
    ipAddr: instance.host,
    vipAddress: instance.service,
    status: status === 'LEAVING' ? 'DOWN' : status,
    port: { $: instance.ports.http ?? 0, '@enabled': String(instance.ports.http !== undefined) },
    ...(instance.ports.ops === undefined
      ? {}
      : { healthCheckUrl: `${opsOf(instance)}/readyz`, statusPageUrl: `${opsOf(instance)}/livez` }),
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
    leaseInfo: { renewalIntervalInSecs: RENEW_EVERY_S, durationInSecs: LEASE_S },
    metadata: {
      version: instance.version,
      ...(status === 'LEAVING' ? { leaving: 'true' } : {}),
      ...(instance.ports.ops === undefined ? {} : { opsPort: String(instance.ports.ops) }),
      ...(instance.ports.grpc === undefined ? {} : { grpcPort: String(instance.ports.grpc) }),
    },
  },
});

/** Eureka's REST interface. Each call takes at most two seconds and rejects with an EurekaFailure. */
export interface EurekaApi {
  register(instance: Instance, status: EurekaStatus): Promise<void>;
  /** False when the registry does not know the instance (any more): it is to register again. */
  renew(instance: Instance): Promise<boolean>;
  deregister(instance: Instance): Promise<void>;
  list(): Promise<readonly Registered[]>;
}

/** @param url With its path, such as `http://127.0.0.1:8761/eureka`. */
export const eurekaApi = (url: string): EurekaApi => {
  const call = async (method: string, path: string, body?: object): Promise<Response> => {
    try {
      return await fetch(`${url}${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new EurekaFailure('the registry does not answer', { cause });
    }
  };
  const done = async (response: Response): Promise<Response> => {
    if (response.ok) return response;
    await response.body?.cancel();
    throw new EurekaFailure(`the registry answered ${response.status}`);
  };
  const pathOf = ({ service, id }: Instance): string =>
    `/apps/${encodeURIComponent(service.toUpperCase())}/${encodeURIComponent(id)}`;
  return {
    register: async (instance, status) => {
      const path = `/apps/${encodeURIComponent(instance.service.toUpperCase())}`;
      const response = await done(await call('POST', path, leaseOf(instance, status)));
      await response.body?.cancel();
    },
    renew: async (instance) => {
      const response = await call('PUT', pathOf(instance));
      await response.body?.cancel();
      if (response.status === NOT_FOUND) return false;
      await done(response);
      return true;
    },
    deregister: async (instance) => {
      const response = await call('DELETE', pathOf(instance));
      if (response.status !== NOT_FOUND) await done(response);
      await response.body?.cancel();
    },
    list: async () => {
      const response = await done(await call('GET', '/apps'));
      const apps = EurekaApps.safeParse(await response.json().catch(() => undefined));
      if (!apps.success) throw new EurekaFailure('the list of the registry cannot be read');
      return apps.data.applications.application
        .flatMap((application) => application.instance)
        .map((given) => ({
          instance: instanceOf(given),
          status: given.metadata?.leaving === 'true' ? 'LEAVING' : given.status,
        }));
    },
  };
};
