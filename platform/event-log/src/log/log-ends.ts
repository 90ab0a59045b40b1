/** How far the log of each topic reaches, as far as this process knows. */
import { setTimeout as pause } from 'node:timers/promises';
import { SharedAsk } from './shared-ask.ts';

/** Two questions about one topic lie at least so far apart, however many ask. */
const PAUSE_MS = 50;

export interface KnownEnds {
  /** End offsets by partition. */
  readonly ends: readonly number[];
  /** When they were told, in milliseconds of the log's clock. */
  readonly atMs: number;
}

export class LogEnds {
  readonly #endOffsets: (topic: string) => Promise<readonly number[]>;
  readonly #now: () => number;
  readonly #known = new Map<string, KnownEnds>();
  readonly #asks = new Map<string, SharedAsk<KnownEnds | undefined>>();

  constructor(endOffsets: (topic: string) => Promise<readonly number[]>, now: () => number) {
    this.#endOffsets = endOffsets;
    this.#now = now;
  }

  /** What was told last; undefined before the first answer. */
  known(topic: string): KnownEnds | undefined {
    return this.#known.get(topic);
  }

  /** Measured after this call. Pending while the log does not answer; undefined when it is closed. */
  fresh(topic: string): Promise<KnownEnds | undefined> {
    return this.#ask(topic).ask();
  }

  /**
   * At most `ageMsMax` old, or else as `fresh`, but an answer that is under way will do. Never rejects, and answers at
   * the deadline with what is known then.
   */
  async recent(
    topic: string,
    options: { readonly ageMsMax: number; readonly deadlineMs: number },
  ): Promise<KnownEnds | undefined> {
    const known = this.#known.get(topic);
    if (known !== undefined && this.#now() - known.atMs < options.ageMsMax) return known;
    const late = new AbortController();
    const deadline = pause(options.deadlineMs, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([this.#ask(topic).join(), deadline]);
    late.abort();
    return this.#known.get(topic);
  }

  #ask(topic: string): SharedAsk<KnownEnds | undefined> {
    const known = this.#asks.get(topic);
    if (known !== undefined) return known;
    const ask = new SharedAsk(() => this.#measure(topic));
    this.#asks.set(topic, ask);
    return ask;
  }

  async #measure(topic: string): Promise<KnownEnds | undefined> {
    const waitMs = (this.#known.get(topic)?.atMs ?? -Infinity) + PAUSE_MS - this.#now();
    if (waitMs > 0) await pause(waitMs, undefined, { ref: false });
    try {
      const known = { ends: await this.#endOffsets(topic), atMs: this.#now() };
      this.#known.set(topic, known);
      return known;
    } catch {
      return undefined; // closed, or the topic is not there: what was known stays
    }
  }
}
