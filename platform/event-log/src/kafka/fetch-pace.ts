/**
 * How soon a consumer fetches again. A broker answers with the first record that comes, and an answer costs both sides
 * the same for one record as for fifty: where they come fast, the next fetch waits, so that there is more to fetch. Where
 * the last records came longer ago than that, nothing waits.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** With so many records in a request its price is that of the records. */
export const FULL_BATCH_RECORDS = 50;

export class FetchPace {
  readonly #everyMs: number;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #resting: Promise<unknown> | undefined;

  /** @param everyMs time between fetches that bring little, and the longest that a record waits; 0: none */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Call at the end of each batch, before which kafkajs does not fetch again. Batches of one answer rest together. */
  async rest(records: number, signal?: AbortSignal): Promise<void> {
    if (records >= FULL_BATCH_RECORDS || this.#everyMs === 0) return;
    this.#resting ??= this.#rest(signal).finally(() => {
      this.#resting = undefined;
    });
    await this.#resting;
  }

  async #rest(signal?: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const waitMs = this.#lastAtMs + this.#everyMs - nowMs;
    this.#lastAtMs = Math.max(nowMs, nowMs + waitMs);
    if (waitMs > 0) await pause(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
