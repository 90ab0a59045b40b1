/**
 * Offsets of a group's member, committed together: each commit is a request, for one partition as for all. The first one
 * is committed at once, and those that come soon after it with the next: an effect whose offset is not committed yet is
 * repeated by whoever gets the partition, which does no harm.
 */
const EVERY_MS = 100;

export interface Offset {
  readonly partition: number;
  /** Everything before it is done. */
  readonly next: number;
  /** Id of the commit before it; undefined when it is not known. */
  readonly commit: string | undefined;
}

type Commit = (offsets: readonly Offset[]) => Promise<void>;

export class GatheredCommits {
  readonly #uncommittedMax: number;
  /** By partition: where the offset stands in the group, as far as this member has put it. */
  #committed = new Map<number, number>();
  readonly #due = new Map<number, Offset>();
  #commit: Commit | undefined;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param uncommittedMax records of a partition that may be done and not committed */
  constructor(uncommittedMax: number) {
    this.#uncommittedMax = uncommittedMax;
  }

  /**
   * Resolves when it is committed, or will be soon. Rejects as `commit` does; what could not be committed then is
   * committed with the next one.
   * @param first offset of the first record that it stands for
   */
  async add(offset: Offset, first: number, commit: Commit): Promise<void> {
    const { partition, next } = offset;
    this.#due.set(partition, offset);
    this.#commit = commit;
    const committed = this.#committed.get(partition) ?? first;
    this.#committed.set(partition, committed);
    const waitMs = this.#lastAtMs + EVERY_MS - performance.now();
    if (waitMs <= 0 || next - committed > this.#uncommittedMax) await this.flush();
    else
      this.#timer ??= setTimeout(() => {
        this.flush().catch(() => undefined); // with the next one
      }, waitMs);
  }

  /** Commits what is due. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const due = [...this.#due.values()];
    const committed = this.#committed;
    if (due.length === 0) return;
    this.#lastAtMs = performance.now();
    await this.#commit?.(due);
    for (const offset of due) {
      committed.set(offset.partition, offset.next);
      if (this.#due.get(offset.partition) === offset) this.#due.delete(offset.partition);
    }
  }

  /** The partitions are another's now, or this member's anew: what is due is not committed any more. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due.clear();
    this.#committed = new Map();
  }
}
