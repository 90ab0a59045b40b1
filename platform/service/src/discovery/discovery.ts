import type { Instance, Resolve } from './instance.ts';

/** What a service knows of its registry, for `GET /ops/discovery`. */
export interface DiscoveryReport {
  readonly kind: 'static' | 'eureka' | 'dns';
  /** Milliseconds since the registry last confirmed the list; null while it never has. */
  readonly ageMs: number | null;
  /** Whether this instance is listed there, as far as it knows. */
  readonly listed: boolean;
  readonly services: Readonly<Record<string, readonly Instance[]>>;
  /** Of services that the registry has lost, whose last known instances are still called: for how long. */
  readonly staleMs: Readonly<Record<string, number>>;
}

/** Where the instances of services are learned from, and where this one is listed. */
export interface Discovery {
  /** Keeps the last known list when the registry is away. */
  readonly resolve: Resolve;
  /** Begins to follow the registry; resolves after the first attempt, whatever came of it. */
  start(): Promise<void>;
  /** Lists this instance. A registry that is away is told when it is back. */
  join(self: Instance): Promise<void>;
  /**
   * Says that this instance leaves, and takes it off the list; resolves when callers that follow the registry no longer
   * choose it, or after about `msMax`. Never rejects.
   */
  leave(msMax?: number): Promise<void>;
  /** Ends the following. */
  close(): Promise<void>;
  report(): DiscoveryReport;
}

/** What every implementation needs to say something. */
export interface DiscoveryLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
