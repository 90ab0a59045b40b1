/**
 * Who waits for a position of the log, and how many may.
 *
 * Positions come from outside, and one that the log does not have would be waited for until its deadline. So whoever
 * asks for one that lies beyond the end, as it is measured after the question, has a place among few of the kind, and is
 * refused at once when there is none: they take no place from those whose position is in the log and about to be folded.
 */
import type { LogPosition } from '../ports.ts';
import type { LogLimits } from './limits.ts';
import type { LogEnds } from './log-ends.ts';

/** What waits. Resolves false at the deadline, and when it is given up. */
interface Waitable {
  waitFor(position: LogPosition, deadlineMs: number, givenUp: AbortSignal): Promise<boolean>;
}

/** A wait of which it is not known yet whether its position lies beyond the end. */
interface Undecided {
  readonly position: LogPosition;
  readonly onBeyondEnd: () => void;
}

export class PositionWaits {
  readonly #ends: LogEnds;
  readonly #limits: Pick<LogLimits, 'maxWaits' | 'maxWaitsBeyondEnd'>;
  /** By topic, for as long as they wait: while the log does not answer, those who have left are not kept. */
  readonly #undecided = new Map<string, Set<Undecided>>();
  /** Topics whose end is being asked for. */
  readonly #asking = new Set<string>();
  /** Those that are not known to be beyond the end. */
  #within = 0;
  #beyond = 0;

  constructor(ends: LogEnds, limits: Pick<LogLimits, 'maxWaits' | 'maxWaitsBeyondEnd'>) {
    this.#ends = ends;
    this.#limits = limits;
  }

  /** True once the position is folded; false at the deadline, or at once when too many wait. */
  async wait(fold: Waitable, position: LogPosition, deadlineMs: number): Promise<boolean> {
    if (this.#within >= this.#limits.maxWaits) return false;
    const givenUp = new AbortController();
    this.#within++;
    let leave = (): number => this.#within--;
    const onBeyondEnd = (): void => {
      if (this.#beyond >= this.#limits.maxWaitsBeyondEnd) {
        givenUp.abort();
        return;
      }
      leave();
      this.#beyond++;
      leave = () => this.#beyond--;
    };
    const decided = this.#decide({ position, onBeyondEnd });
    try {
      return await fold.waitFor(position, deadlineMs, givenUp.signal);
    } finally {
      leave();
      decided();
    }
  }

  /** Calls back when the position lies beyond the end, as it is measured after this call. @returns no longer */
  #decide(wait: Undecided): () => void {
    const { topic } = wait.position;
    if (isIn(this.#ends.known(topic)?.ends, wait.position)) return () => undefined;
    const undecided = this.#undecided.get(topic) ?? new Set();
    this.#undecided.set(topic, undecided);
    undecided.add(wait);
    void this.#ask(topic, undecided);
    return () => undecided.delete(wait);
  }

  async #ask(topic: string, undecided: Set<Undecided>): Promise<void> {
    if (this.#asking.has(topic)) return;
    this.#asking.add(topic);
    while (undecided.size > 0) {
      const asked = [...undecided];
      const fresh = await this.#ends.fresh(topic);
      for (const wait of asked) {
        const isWaiting = undecided.delete(wait);
        // When the log does not say, it is not known to lie beyond.
        if (isWaiting && fresh !== undefined && !isIn(fresh.ends, wait.position)) wait.onBeyondEnd();
      }
    }
    this.#asking.delete(topic);
  }
}

const isIn = (ends: readonly number[] | undefined, { partition, offset }: LogPosition): boolean =>
  offset < (ends?.[partition] ?? 0);
