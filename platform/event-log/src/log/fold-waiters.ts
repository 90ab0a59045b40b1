/** Who waits until offsets of one topic are folded. Bounded by whoever lets them in: `PositionWaits`, reactions, catch-up. */

interface Waiter {
  readonly offset: number;
  readonly settle: (reached: boolean) => void;
}

export class FoldWaiters {
  readonly #byPartition = new Map<number, Set<Waiter>>();

  /** True once `wake` has passed the offset; false when the deadline passes, or the wait is given up, first. */
  wait(partition: number, offset: number, deadlineMs: number, givenUp?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const waiters = this.#of(partition);
      const settle = (reached: boolean): void => {
        waiters.delete(waiter);
        clearTimeout(timer);
        givenUp?.removeEventListener('abort', giveUp);
        resolve(reached);
      };
      const giveUp = (): void => {
        settle(false);
      };
      const waiter = { offset, settle };
      waiters.add(waiter);
      const timer = setTimeout(giveUp, deadlineMs);
      givenUp?.addEventListener('abort', giveUp);
    });
  }

  /** Everything in front of `next` is folded. */
  wake(partition: number, next: number): void {
    for (const waiter of this.#byPartition.get(partition) ?? [])
      if (waiter.offset < next) waiter.settle(true);
  }

  #of(partition: number): Set<Waiter> {
    const found = this.#byPartition.get(partition) ?? new Set();
    this.#byPartition.set(partition, found);
    return found;
  }
}
