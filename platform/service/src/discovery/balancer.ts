import type { Instance, Resolve } from './instance.ts';

/** Instances of one service that a client calls; further ones are left out, so that what is kept of each is bounded. */
const INSTANCES_MAX = 64;
/** How long an instance that could not be reached is passed over. */
const EJECT_MS = 5_000;

/** Where one attempt goes. */
export interface Target {
  readonly instance: Instance;
  readonly host: string;
  readonly port: number;
}

/** Chooses an instance of one service for every attempt. */
export interface Balancer {
  /**
   * The next target in turn. One that this call has tried, or that could not be reached a moment ago, is taken only when
   * there is no better one: the last known list is never given up. Undefined when no instance is known.
   */
  next(tried: ReadonlySet<Target>): Target | undefined;
  /** Everything that `next` chooses from; the same array until the instances change. */
  targets(): readonly Target[];
  /** Passes the target over for a while: it could not be reached. */
  eject(target: Target): void;
}

/** Round robin over the instances of `service` that have the port. */
export const createBalancer = (options: {
  readonly service: string;
  readonly resolve: Resolve;
  readonly protocol: 'http' | 'grpc';
  /** Milliseconds that do not jump. Default: the process's. */
  readonly now?: () => number;
}): Balancer => {
  const { service, resolve, protocol, now = () => performance.now() } = options;
  const ejectedUntilMs = new Map<string, number>();
  let resolved: readonly Instance[] = [];
  let targets: readonly Target[] = [];
  let turn = 0;

  const refresh = (): readonly Target[] => {
    const instances = resolve(service);
    if (instances === resolved) return targets;
    const known = new Map(targets.map((target) => [target.instance.id, target]));
    resolved = instances;
    targets = instances.slice(0, INSTANCES_MAX).flatMap((instance): readonly Target[] => {
      const port = instance.ports[protocol];
      if (port === undefined) return [];
      const before = known.get(instance.id);
      const same = before?.host === instance.host && before.port === port ? before : undefined;
      return [same ?? { instance, host: instance.host, port }];
    });
    const ids = new Set(targets.map((target) => target.instance.id));
    for (const id of ejectedUntilMs.keys()) if (!ids.has(id)) ejectedUntilMs.delete(id);
    return targets;
  };

  const reluctance = (target: Target, tried: ReadonlySet<Target>): number => {
    const ejected = (ejectedUntilMs.get(target.instance.id) ?? 0) > now();
    return (ejected ? 2 : 0) + (tried.has(target) ? 1 : 0);
  };

  return {
    targets: refresh,
    next: (tried) => {
      const candidates = refresh();
      turn += 1;
      let best: Target | undefined;
      let least = Number.POSITIVE_INFINITY;
      for (let n = 0; n < candidates.length && least > 0; n += 1) {
        const candidate = candidates[(turn + n) % candidates.length];
        if (candidate === undefined) continue;
        const reluctant = reluctance(candidate, tried);
        if (reluctant >= least) continue;
        best = candidate;
        least = reluctant;
      }
      return best;
    },
    eject: ({ instance }) => {
      ejectedUntilMs.set(instance.id, now() + EJECT_MS);
    },
  };
};
