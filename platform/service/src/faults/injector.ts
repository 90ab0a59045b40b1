import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** A fault in force. */
interface Active {
  readonly fault: Fault;
  readonly endsAtMs: number;
  callsLeft: number;
}

/** What befalls one call. */
export type Befallen =
  | { readonly kind: 'none' }
  | { readonly kind: 'error'; readonly status: number }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' };

/** What operators see of a fault in force. */
export interface FaultStatus extends Fault {
  readonly callsLeft?: number;
  readonly msLeft?: number;
}

/** The faults of one process. */
export class FaultInjector {
  #active: readonly Active[] = [];
  readonly #random: () => number;
  readonly #now: () => number;

  constructor(options: { readonly random?: () => number; readonly now?: () => number } = {}) {
    this.#random = options.random ?? Math.random;
    this.#now = options.now ?? (() => performance.now());
  }

  /** These faults and no others, from now on. */
  set(faults: readonly Fault[]): void {
    this.#active = faults.map((fault) => ({
      fault,
      endsAtMs: this.#now() + (fault.forMs ?? Number.POSITIVE_INFINITY),
      callsLeft: fault.calls ?? Number.POSITIVE_INFINITY,
    }));
  }

  status(): readonly FaultStatus[] {
    return this.#inForce().map(({ fault, callsLeft, endsAtMs }) => ({
      ...fault,
      ...(Number.isFinite(callsLeft) ? { callsLeft } : {}),
      ...(Number.isFinite(endsAtMs) ? { msLeft: Math.round(endsAtMs - this.#now()) } : {}),
    }));
  }

  /**
   * What befalls a call of this name (`POST /route` or a gRPC path): the first fault that is meant for it, after its
   * latency. Undefined at once when there is none. `only` leaves faults of other kinds to whoever can make them.
   */
  meet(
    name: string,
    only: (failure: Fault['failure']) => boolean = () => true,
  ): Promise<Befallen> | undefined {
    if (this.#active.length === 0) return undefined;
    const found = this.#inForce().find(
      ({ fault }) => (fault.route === undefined || fault.route === name) && only(fault.failure),
    );
    if (found === undefined) return undefined;
    found.callsLeft -= 1;
    return this.#befall(found.fault);
  }

  async #befall({ latencyMs, failure, errorRate, status }: Fault): Promise<Befallen> {
    const fails = failure !== 'none' && this.#random() < errorRate;
    if (latencyMs > 0) await pause(latencyMs);
    if (!fails) return { kind: 'none' };
    return failure === 'error' ? { kind: 'error', status } : { kind: failure };
  }

  #inForce(): readonly Active[] {
    const nowMs = this.#now();
    this.#active = this.#active.filter(({ callsLeft, endsAtMs }) => callsLeft > 0 && endsAtMs > nowMs);
    return this.#active;
  }
}
