import type { Instance, Resolve } from './instance.ts';

const none: readonly Instance[] = [];
/** How long instances are called that the registry has lost without a word. */
const STALE_MS_MAX = 600_000;

/** The last list that a registry gave, for whoever resolves. */
export class KnownInstances {
  readonly #now: () => number;
  #byService: ReadonlyMap<string, readonly Instance[]>;
  /** Services that the registry no longer lists at all, and since when. */
  #lostAtMs: ReadonlyMap<string, number> = new Map();
  #confirmedAtMs: number | undefined;

  /** @param seed What is known before the registry has answered for the first time. */
  constructor(seed: readonly Instance[] = none, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#byService = Map.groupBy(seed, ({ service }) => service);
  }

  readonly resolve: Resolve = (service) => this.#byService.get(service) ?? none;

  /**
   * Takes what the registry says now. A service whose instances are the same keeps its array. An instance that is missing
   * while the registry says anything of its service has left. A service of which it says nothing was lost, with the
   * registry's memory or in an outage: its last known instances stay, for at most ten minutes.
   * @param named Services of which the registry says something, if only that they have none. Default: those listed.
   */
  replace(instances: readonly Instance[], named: ReadonlySet<string> = new Set()): void {
    const nowMs = this.#now();
    const before = this.#byService;
    const after = new Map<string, readonly Instance[]>();
    for (const [service, listed] of Map.groupBy(instances, ({ service: of }) => of)) {
      const sorted = listed.toSorted((a, b) => a.id.localeCompare(b.id));
      const known = before.get(service);
      after.set(service, JSON.stringify(known) === JSON.stringify(sorted) && known ? known : sorted);
    }
    const lost = new Map<string, number>();
    for (const [service, known] of before) {
      if (after.has(service) || named.has(service)) continue;
      const lostAtMs = this.#lostAtMs.get(service) ?? nowMs;
      if (nowMs - lostAtMs >= STALE_MS_MAX) continue;
      after.set(service, known);
      lost.set(service, lostAtMs);
    }
    this.#byService = after;
    this.#lostAtMs = lost;
    this.#confirmedAtMs = nowMs;
  }

  /** Drops instances that said that they leave, whatever else the registry may have forgotten: a service without any is not lost. */
  left(ids: ReadonlySet<string>): void {
    const after = new Map(this.#byService);
    for (const [service, known] of this.#byService) {
      const rest = known.filter(({ id }) => !ids.has(id));
      if (rest.length === 0) after.delete(service);
      else if (rest.length < known.length) after.set(service, rest);
    }
    this.#byService = after;
    this.#lostAtMs = new Map([...this.#lostAtMs].filter(([service]) => after.has(service)));
  }

  /** Every instance, by service. */
  all(): Readonly<Record<string, readonly Instance[]>> {
    return Object.fromEntries(this.#byService);
  }

  /** Milliseconds since the registry last confirmed the list; undefined while it never has. */
  ageMs(): number | undefined {
    return this.#confirmedAtMs === undefined ? undefined : this.#now() - this.#confirmedAtMs;
  }

  /** Milliseconds since the registry lost a service whose last known instances are still called, by service. */
  staleMs(): Readonly<Record<string, number>> {
    const nowMs = this.#now();
    return Object.fromEntries([...this.#lostAtMs].map(([service, lostAtMs]) => [service, nowMs - lostAtMs]));
  }
}
