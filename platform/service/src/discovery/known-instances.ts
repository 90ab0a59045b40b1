import type { Instance, Resolve } from './instance.ts';

const none: readonly Instance[] = [];

/** The last list that a registry gave, for whoever resolves. */
export class KnownInstances {
  readonly #now: () => number;
  #byService: ReadonlyMap<string, readonly Instance[]>;
  #confirmedAtMs: number | undefined;

  /** @param seed What is known before the registry has answered for the first time. */
  constructor(seed: readonly Instance[] = none, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#byService = Map.groupBy(seed, ({ service }) => service);
  }

  readonly resolve: Resolve = (service) => this.#byService.get(service) ?? none;

  /** Takes what the registry says now. A service whose instances are the same keeps its array. */
  replace(instances: readonly Instance[]): void {
    const before = this.#byService;
    const after = Map.groupBy(instances, ({ service }) => service);
    this.#byService = new Map(
      [...after].map(([service, now]) => {
        const sorted = now.toSorted((a, b) => a.id.localeCompare(b.id));
        const known = before.get(service);
        return [service, JSON.stringify(known) === JSON.stringify(sorted) && known ? known : sorted];
      }),
    );
    this.#confirmedAtMs = this.#now();
  }

  /** Every instance, by service. */
  all(): Readonly<Record<string, readonly Instance[]>> {
    return Object.fromEntries(this.#byService);
  }

  /** Milliseconds since the registry last confirmed the list; undefined while it never has. */
  ageMs(): number | undefined {
    return this.#confirmedAtMs === undefined ? undefined : this.#now() - this.#confirmedAtMs;
  }
}
