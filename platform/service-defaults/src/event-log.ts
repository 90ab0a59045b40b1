import { atLeast } from '@parley/contracts/consistency';
import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { openKafkaLog, projectionRoutes, type EventLog } from '@parley/event-log';
import { createService, type Instance, type Service, type ServiceConfig } from '@parley/service';
import { addPart } from './part.ts';

/** The environment of a service on the event log. */
export type ParleyConfig = ServiceConfig & {
  readonly KAFKA_BOOTSTRAP: string;
  readonly KAFKA_REPLICATION_FACTOR?: number | undefined;
  readonly KAFKA_MIN_INSYNC_REPLICAS?: number | undefined;
  readonly REGISTRY_URL: string;
  readonly TRACE_ASYNC_HOPS: 'child' | 'link';
  readonly SNAPSHOT_DIR?: string | undefined;
};

/** A service that answers with the errors of the contracts. `peers` are those that it calls where there is no registry. */
export const parleyService = (
  name: string,
  config: ServiceConfig,
  { peers = [] }: { readonly peers?: readonly Instance[] } = {},
): Service<ErrorCode> => createService({ name, config, errors: errorCatalog, peers });

/**
 * The event log of a service, under the name of its instance: in readiness and drain, its read models on the operations
 * port, and every read able to wait for a position of the log. Whoever asks for it starts it in `service.run`. Parts are
 * closed in reverse order: ask for what its reactions need before it, and for what appends to it after it.
 */
export const eventLogOf = (service: Service<ErrorCode>, config: ParleyConfig): EventLog => {
  const log = openKafkaLog({
    service: service.name,
    clientId: config.INSTANCE_ID ?? service.name,
    bootstrap: config.KAFKA_BOOTSTRAP,
    registryUrl: config.REGISTRY_URL,
    durability: {
      replicationFactor: config.KAFKA_REPLICATION_FACTOR,
      minInSyncReplicas: config.KAFKA_MIN_INSYNC_REPLICAS,
    },
    logger: service.logger,
    asyncHops: config.TRACE_ASYNC_HOPS,
    snapshotDir: config.SNAPSHOT_DIR,
  });
  service.guard(atLeast(log));
  service.addOps(projectionRoutes(log));
  addPart(service, 'event log', log);
  return log;
};
