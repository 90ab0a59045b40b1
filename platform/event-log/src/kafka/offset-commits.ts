/**
 * Offsets of a group's member, committed together: each commit is a request, for one partition as for all. One that comes
 * long after the last is made at once; one that comes soon after it waits for those of other partitions. Nothing goes on
 * behind a batch before its offset is committed.
 */
import { FULL_BATCH_RECORDS } from './fetch-pace.ts';

export interface Offset {
  readonly partition: number;
  /** Everything before it is done. */
  readonly next: number;
  /** Id of the commit before it; undefined when it is not known. */
  readonly commit: string | undefined;
}

export interface Committing {
  /** Records that it stands for: for many of them it waits for nobody. */
  readonly records: number;
  /** False once the partition is no longer this member's, or is read from elsewhere: it is not committed then. */
  readonly isCurrent: () => boolean;
  readonly commit: (offsets: readonly Offset[]) => Promise<void>;
}

interface Due extends Committing {
  readonly offset: Offset;
  readonly settle: (outcome: Promise<boolean>) => void;
}

export class OffsetCommits {
  readonly #everyMs: number;
  #due: Due[] = [];
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param everyMs time between commits of few records, and the longest that one waits */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Resolves with whether it was committed; rejects as `commit` does. One of a partition at a time. */
  add(offset: Offset, committing: Committing): Promise<boolean> {
    const outcome = Promise.withResolvers<boolean>();
    this.#due.push({ ...committing, offset, settle: outcome.resolve });
    const waitMs =
      committing.records >= FULL_BATCH_RECORDS ? 0 : this.#lastAtMs + this.#everyMs - performance.now();
    if (waitMs <= 0) this.flush();
    else
      this.#timer ??= setTimeout(() => {
        this.flush();
      }, waitMs);
    return outcome.promise;
  }

  /** Commits now what is due. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const due = this.#due;
    this.#due = [];
    const current = due.filter(({ isCurrent }) => isCurrent());
    for (const { settle } of due.filter((one) => !current.includes(one))) settle(Promise.resolve(false));
    const [first] = current;
    if (first === undefined) return;
    this.#lastAtMs = performance.now();
    const committed = first.commit(current.map(({ offset }) => offset)).then(() => true);
    for (const { settle } of current) settle(committed);
  }
}
