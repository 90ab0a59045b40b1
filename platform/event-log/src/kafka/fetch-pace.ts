/**
 * How soon a consumer fetches again. A broker answers with the first record that comes, and an answer costs both sides
 * the same for one record as for fifty. So the next fetch waits until one pace after the last, that there is more to
 * fetch. Behind several records it waits as long again as they took, at most two paces: the slower a busy machine makes
 * them, the more travels together. Few records that come longer than a pace after the last ones wait for nothing.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** With so many records in a request its price is that of the records. */
export const FULL_BATCH_RECORDS = 50;
/** In flight at a time; behind fewer, a rest as long as they took would save little. */
const SEVERAL_RECORDS = 4;
/** The longest rest, in paces. */
const REST_PACES_MAX = 2;

export class FetchPace {
  readonly #everyMs: number;
  readonly #pause: typeof pause;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #resting: Promise<unknown> | undefined;
  /** Batches in flight, of whatever broker, with the most records that were in flight during each. */
  readonly #batches = new Set<{ most: number }>();
  /** Records in flight. */
  #records = 0;

  /** @param everyMs the pace, of which one rest lasts at most two; 0: no rests */
  constructor(everyMs: number, pauseWith = pause) {
    this.#everyMs = everyMs;
    this.#pause = pauseWith;
  }

  /**
   * Handles a batch, and rests behind it unless that failed: kafkajs does not fetch again before. Batches of one answer
   * are handled side by side, and those that end while another one rests, rest with it.
   */
  async paced(records: number, handle: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    const startedAtMs = performance.now();
    const batch = { most: 0 };
    this.#batches.add(batch);
    this.#records += records;
    for (const other of this.#batches) other.most = Math.max(other.most, this.#records);
    try {
      await handle();
    } finally {
      this.#batches.delete(batch);
      this.#records -= records;
    }
    if (batch.most >= FULL_BATCH_RECORDS || this.#everyMs === 0) return;
    const tookMs = batch.most >= SEVERAL_RECORDS ? performance.now() - startedAtMs : 0;
    this.#resting ??= this.#rest(tookMs, signal).finally(() => {
      this.#resting = undefined;
    });
    await this.#resting;
  }

  async #rest(tookMs: number, signal?: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const waitMs = Math.max(
      this.#lastAtMs + this.#everyMs - nowMs,
      Math.min(tookMs, REST_PACES_MAX * this.#everyMs),
    );
    this.#lastAtMs = nowMs + waitMs;
    if (waitMs > 0) await this.#pause(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
