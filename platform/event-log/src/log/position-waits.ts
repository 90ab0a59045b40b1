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

export class PositionWaits {
  readonly #ends: LogEnds;
  readonly #limits: Pick<LogLimits, 'maxWaits' | 'maxWaitsBeyondEnd'>;
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
    void this.#isBeyondEnd(position).then((isBeyondEnd) => {
      if (!isBeyondEnd || givenUp.signal.aborted) return;
      if (this.#beyond >= this.#limits.maxWaitsBeyondEnd) {
        givenUp.abort();
        return;
      }
      leave();
      this.#beyond++;
      leave = () => this.#beyond--;
    });
    try {
      return await fold.waitFor(position, deadlineMs, givenUp.signal);
    } finally {
      leave();
      givenUp.abort();
    }
  }

  /** False also when the log does not say. */
  async #isBeyondEnd({ topic, partition, offset }: LogPosition): Promise<boolean> {
    const isIn = (ends: readonly number[] | undefined): boolean => offset < (ends?.[partition] ?? 0);
    if (isIn(this.#ends.known(topic)?.ends)) return false;
    const fresh = await this.#ends.fresh(topic);
    return fresh !== undefined && !isIn(fresh.ends);
  }
}
