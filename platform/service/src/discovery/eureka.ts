import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { startLoop } from '../loop.ts';
import type { Discovery, DiscoveryLog, DiscoveryReport } from './discovery.ts';
import {
  eurekaApi,
  RENEW_EVERY_S,
  TIMEOUT_MS,
  type EurekaApi,
  type EurekaStatus,
  type Registered,
} from './eureka-api.ts';
import type { Instance, Resolve } from './instance.ts';
import { KnownInstances } from './known-instances.ts';

const POLL_EVERY_MS = 1_000;
/**
 * An instance that leaves is called until its callers have read the list again, though one reading was too early and hangs
 * until its limit. So long it says that it leaves, before it is off the list: the last one of a service is told so from one
 * that was lost. Longer would endanger that an instance is off the list within 5 s of a clean stop.
 */
const LEAVE_MS = POLL_EVERY_MS + TIMEOUT_MS;
/** A registry that has just started hears of every living instance within two renewals. */
const RELEARN_MS = 2 * RENEW_EVERY_S * 1_000;

type Loop = ReturnType<typeof startLoop>;

export interface EurekaOptions {
  /** With its path, such as `http://127.0.0.1:8761/eureka`. */
  readonly url: string;
  readonly log: DiscoveryLog;
  /** What is called until the registry has answered for the first time. */
  readonly seed?: readonly Instance[];
  /** Whether this instance can do its work: UP or DOWN in the registry. */
  readonly isHealthy?: () => boolean;
  /** False: the list is not read. Default true. */
  readonly follows?: boolean;
  /** Told after every reading that was believed. */
  readonly changed?: (services: Readonly<Record<string, readonly Instance[]>>) => void;
  /** Milliseconds that do not jump. Default: the process's. */
  readonly now?: () => number;
}

/** Statuses of instances that are not called. */
const GONE: ReadonlySet<string> = new Set(['OUT_OF_SERVICE', 'LEAVING']);

/** Of each service those that are up; all of it while none is, since one that says DOWN may still answer. */
const callable = (registered: readonly Registered[]): readonly Instance[] => {
  const byService = Map.groupBy(registered, ({ instance }) => instance.service);
  return [...byService.values()].flatMap((ofService) => {
    const up = ofService.filter(({ status }) => status === 'UP');
    const rest = ofService.filter(({ status }) => !GONE.has(status));
    return (up.length > 0 ? up : rest).map(({ instance }) => instance);
  });
};

/**
 * Discovery by Eureka. The registry keeps its list in memory: when it no longer knows this instance, which it listed
 * before, it was restarted, and the last known list is kept until every living instance has had time to return.
 */
class EurekaDiscovery implements Discovery {
  readonly #options: EurekaOptions;
  readonly #api: EurekaApi;
  readonly #known: KnownInstances;
  readonly #now: () => number;
  readonly resolve: Resolve;
  #self: Instance | undefined;
  /** What the registry was told last. */
  #status: EurekaStatus | undefined;
  #isAway = false;
  /** Seen in a list since it was registered. */
  #wasListed = false;
  #relearnsUntilMs = 0;
  #following: Loop | undefined;
  #renewing: Loop | undefined;

  constructor(options: EurekaOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#api = eurekaApi(options.url);
    this.#known = new KnownInstances(options.seed, this.#now);
    this.resolve = this.#known.resolve;
  }

  async start(): Promise<void> {
    if (this.#options.follows === false) return;
    await this.#read().catch(this.#heard);
    this.#following = startLoop({
      work: () => this.#read(),
      pauseMs: POLL_EVERY_MS,
      failed: this.#heard,
    });
  }

  async join(self: Instance): Promise<void> {
    this.#self = self;
    await this.#renew().catch(this.#heard);
    this.#renewing = startLoop({
      work: () => this.#renew(),
      pauseMs: RENEW_EVERY_S * 1_000,
      failed: this.#heard,
    });
  }

  async leave(msMax = LEAVE_MS): Promise<void> {
    const self = this.#self;
    if (self === undefined) return;
    this.#self = undefined;
    this.#wasListed = false;
    await this.#renewing?.stop();
    try {
      await this.#api.register(self, 'LEAVING');
      await pause(Math.min(LEAVE_MS, msMax));
      await this.#api.deregister(self);
    } catch (error) {
      this.#heard(error); // its lease expires
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#following?.stop(), this.#renewing?.stop()]);
  }

  report(): DiscoveryReport {
    return {
      kind: 'eureka',
      ageMs: this.#known.ageMs() ?? null,
      listed: this.#self !== undefined && this.#status !== undefined && !this.#isAway,
      services: this.#known.all(),
      staleMs: this.#known.staleMs(),
    };
  }

  /** Says once that the registry is away, and once that it is back. */
  readonly #heard = (failure?: unknown): void => {
    const { log } = this.#options;
    const isAway = failure !== undefined;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    if (isAway) log.warn({ reason: messageOf(failure) }, 'the registry is away; the last known list is kept');
    else {
      // It may have been restarted; who is not on its list itself is not told so by being forgotten.
      this.#relearnsUntilMs = this.#now() + RELEARN_MS;
      log.info({}, 'the registry answers');
    }
  };

  #forgotten(): void {
    this.#wasListed = false;
    this.#relearnsUntilMs = this.#now() + RELEARN_MS;
    this.#options.log.warn(
      {},
      'the registry has forgotten this instance; the last known list is kept for a while',
    );
  }

  #health(): EurekaStatus {
    return this.#options.isHealthy?.() === false ? 'DOWN' : 'UP';
  }

  async #register(self: Instance): Promise<void> {
    const status = this.#health();
    await this.#api.register(self, status);
    this.#status = status;
    if (this.#self !== self) await this.#api.deregister(self); // it left meanwhile
  }

  async #renew(): Promise<void> {
    const self = this.#self;
    if (self === undefined) return;
    if (this.#status !== this.#health()) {
      await this.#register(self);
    } else if (!(await this.#api.renew(self))) {
      if (this.#wasListed) this.#forgotten();
      await this.#register(self);
    }
    this.#heard();
  }

  async #read(): Promise<void> {
    const registered = await this.#api.list();
    this.#heard();
    const self = this.#self;
    if (registered.some(({ instance }) => instance.id === self?.id)) this.#wasListed = true;
    else if (this.#wasListed) {
      this.#forgotten();
      await this.#renew();
    }
    if (this.#now() < this.#relearnsUntilMs) {
      const gone = registered.filter(({ status }) => GONE.has(status));
      this.#known.left(new Set(gone.map(({ instance }) => instance.id)));
    } else {
      const named = new Set(registered.map(({ instance }) => instance.service));
      this.#known.replace(callable(registered), named);
    }
    this.#options.changed?.(this.#known.all());
  }
}

export const openEureka = (options: EurekaOptions): Discovery => new EurekaDiscovery(options);
