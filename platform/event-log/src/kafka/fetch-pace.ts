/**
 * How soon a consumer fetches again. A broker answers with the first record that comes, and an answer costs both sides
 * the same for one record as for fifty: where they come fast, the next fetch waits, so that there is more to fetch, and
 * behind several records as long again as they took: the slower a busy machine makes them, the more travels together.
 * Where the last records came longer ago than that, nothing waits.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** With so many records in a request its price is that of the records. */
export const FULL_BATCH_RECORDS = 50;
/** The longest rest, in times of the pace. */
const RESTS_MAX = 2;

export class FetchPace {
  readonly #everyMs: number;
  readonly #pause: typeof pause;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #resting: Promise<unknown> | undefined;
  /** Batches that are being taken, and the records of all that were while there was one. */
  #taking = { batches: 0, records: 0 };

  /** @param everyMs time between fetches that bring little, and half of the longest that a record waits; 0: none */
  constructor(everyMs: number, pauseWith = pause) {
    this.#everyMs = everyMs;
    this.#pause = pauseWith;
  }

  /**
   * Takes a batch, and rests behind it unless it has failed: kafkajs does not fetch again before. Batches of one answer
   * are taken side by side and rest together.
   */
  async take(records: number, batch: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    const startedAtMs = performance.now();
    const taking = this.#taking;
    if (taking.batches === 0) taking.records = 0;
    taking.batches += 1;
    taking.records += records;
    try {
      await batch();
    } finally {
      taking.batches -= 1;
    }
    if (records >= FULL_BATCH_RECORDS || this.#everyMs === 0) return;
    this.#resting ??= this.#rest(startedAtMs, signal).finally(() => {
      this.#resting = undefined;
    });
    await this.#resting;
  }

  async #rest(startedAtMs: number, signal?: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const tookMs = this.#taking.records > 1 ? nowMs - startedAtMs : 0;
    const waitMs = Math.max(
      this.#lastAtMs + this.#everyMs - nowMs,
      Math.min(tookMs, RESTS_MAX * this.#everyMs),
    );
    this.#lastAtMs = Math.max(nowMs, nowMs + waitMs);
    if (waitMs > 0) await this.#pause(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
