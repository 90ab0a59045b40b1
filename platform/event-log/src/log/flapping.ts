/**
 * Tells a member of a consumer group whose consumer ends again and again from one whose consumer ended once.
 *
 * Each new consumer is let in, so the member looks well for a moment and never gets on. An outage of the broker ends
 * consumers too, so it takes several in a row, with nothing committed in between, to be taken for that. Of a consumer
 * that ended on some partitions, the others get on meanwhile, so only a commit of those counts.
 */

/** Consumers that have to end in a row. */
const ENDS_MIN = 3;
/**
 * A consumer that is quiet for so long is a good one, also with nothing to commit, unless a partition failed since the last
 * join that was not committed since.
 */
const SETTLED_MS = 30_000;

export class Flapping {
  readonly #now: () => number;
  #joins = 0;
  /** When the consumer that there is now was let in, a partition last failed in it, or a failed one was taken from it. */
  #quietSinceMs = 0;
  /** Partitions that this member was given last. */
  #assigned: readonly number[] = [];
  /** Of the consumers that ended in a row. */
  #ends = 0;
  #first = 0;
  #last = 0;
  /** Partitions that failed in this membership and were not committed since. */
  readonly #failed = new Set<number>();
  /** Those that the last consumer of the row failed on and that were not committed since. */
  readonly #stuck = new Set<number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How often the group has let it in. */
  get joins(): number {
    return this.#joins;
  }

  onJoined(partitions: readonly number[]): void {
    // The group re-balances around a good one, unless it still has what the row ended on, which may take long to fail.
    if (this.#hasSettled && !this.#assigned.some((partition) => this.#stuck.has(partition))) this.#ends = 0;
    this.#assigned = partitions;
    const isNew = this.#last === this.#joins; // else the group has only re-balanced
    if (isNew || this.#failed.size > 0) this.#quietSinceMs = this.#now();
    this.#joins++;
    this.#failed.clear();
  }

  /**
   * A batch of the partition could not be handled. That ends the consumer, some time later: once the other batches of the
   * fetch have ended, and not when it is tried again, or only shows that the group re-balances. What breaks a good life
   * begins the row anew, unless it is the partition that the row ended on: its batches may take so long to fail.
   */
  onFailed(partition: number): void {
    if (this.#hasSettled && !this.#stuck.has(partition)) this.#ends = 0;
    this.#quietSinceMs = this.#now();
    this.#failed.add(partition);
  }

  onCommitted(partition: number): void {
    this.#failed.delete(partition);
    this.#stuck.delete(partition);
    if (this.#stuck.size === 0) this.#ends = 0;
  }

  /** The consumer has ended by itself. One that was never let in says nothing: it is told as not joined. */
  onEnded(): void {
    if (this.#last === this.#joins) return;
    if (this.#hasSettled) this.#ends = 0;
    if (this.#ends === 0) this.#first = this.#joins;
    this.#ends++;
    this.#last = this.#joins;
    this.#stuck.clear();
    for (const partition of this.#failed) this.#stuck.add(partition);
  }

  /** How many consumers have ended in a row, and the membership that the row began with; undefined while it is none. */
  get state(): { readonly ends: number; readonly since: number } | undefined {
    return this.#ends < ENDS_MIN || this.#hasSettled ? undefined : { ends: this.#ends, since: this.#first };
  }

  get #hasSettled(): boolean {
    const isLetIn = this.#last < this.#joins; // else the consumer has ended, and the next is not there yet
    return isLetIn && this.#failed.size === 0 && this.#now() - this.#quietSinceMs >= SETTLED_MS;
  }
}
