/**
 * How many retries all calls of a policy may make together: a share of the calls, and a reserve. When everything fails,
 * attempts come to at most (1 + share) × calls + reserve.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #reserve: number;
  #tokens: number;

  constructor(options: { readonly share: number; readonly reserve: number }) {
    this.#share = options.share;
    this.#reserve = options.reserve;
    this.#tokens = options.reserve;
  }

  /** For each call. */
  deposit(): void {
    this.#tokens = Math.min(this.#reserve, this.#tokens + this.#share);
  }

  /** For each retry; false: it must not be made. */
  withdraw(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Retries that may be made now. */
  get left(): number {
    return Math.floor(this.#tokens);
  }
}
