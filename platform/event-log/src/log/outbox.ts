/**
 * Sends commits to one partition: what waits while a send is under way goes in the next one, at most one send at a
 * time, in the order of the calls. A failed send is repeated with growing pauses until it is acknowledged or refused
 * for good, and nothing behind it overtakes it; so a chained commit never lies ahead of its predecessor.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { LogLimits } from './limits.ts';
import type { Sender, SendTurns } from './send-turns.ts';
import { BatchRefused, type NewRecord } from './transport.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;

export interface Outgoing {
  readonly records: readonly NewRecord[];
  readonly bytes: number;
  /** Called right before the first attempt to send: from now on it may be in the log. */
  onSending(): void;
  /** The broker says that it is in the log. */
  onAcknowledged?(): void;
  /** The broker refused it for good. Not `certain`: an earlier attempt was not answered, and may have written it. */
  onRefused(detail: string, certain: boolean): void;
}

export class Outbox implements Sender {
  readonly #send: (records: readonly NewRecord[]) => Promise<void>;
  readonly #limits: LogLimits;
  readonly #turns: SendTurns;
  #waiting: Outgoing[] = [];
  /** Run before the next batch is made. */
  #whenFree: (() => void)[] = [];
  /** Sent before, without an answer. */
  readonly #unanswered = new WeakSet<Outgoing>();
  /** So many are sent one by one, as the batch that they were in was refused for one of them. */
  #single = 0;
  #sending = false;
  #closed = false;

  constructor(
    send: (records: readonly NewRecord[]) => Promise<void>,
    { limits, turns }: { readonly limits: LogLimits; readonly turns: SendTurns },
  ) {
    this.#send = send;
    this.#limits = limits;
    this.#turns = turns;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    this.#wake();
  }

  /** Ahead of all that waits, some of which may be chained on these. In their order. */
  addFirst(outgoing: readonly Outgoing[]): void {
    this.#waiting.unshift(...outgoing);
    this.#wake();
  }

  /** Calls back once, when no send is under way and before the next one: what is added then travels in it. */
  whenFree(callback: () => void): void {
    this.#whenFree.push(callback);
    this.#wake();
  }

  /** True when it was still waiting: it was never sent and never will be. */
  remove(outgoing: Outgoing): boolean {
    const index = this.#waiting.indexOf(outgoing);
    if (index === -1) return false;
    this.#waiting.splice(index, 1);
    return true;
  }

  /** Stops repeating; a send under way is left to its end. */
  close(): void {
    this.#closed = true;
  }

  /** See `Sender`: what waits, if nothing is under way. */
  send(): number {
    if (this.#sending || this.#closed) return 0;
    for (const callback of this.#whenFree.splice(0)) callback();
    if (this.#waiting.length === 0) return 0;
    const batch = this.#nextBatch();
    this.#sending = true;
    void this.#deliver(batch).then(() => {
      this.#sending = false;
      if (this.#waiting.length > 0 || this.#whenFree.length > 0) this.#wake();
    });
    return batch.length;
  }

  #wake(): void {
    if (!this.#sending && !this.#closed) this.#turns.ask(this);
  }

  #nextBatch(): readonly Outgoing[] {
    let bytes = 0;
    let count = 0;
    const maxCommits = this.#single-- > 0 ? 1 : this.#limits.maxBatchCommits;
    this.#single = Math.max(0, this.#single);
    for (const { bytes: more } of this.#waiting) {
      if (count > 0 && (bytes + more > this.#limits.maxBatchBytes || count >= maxCommits)) break;
      bytes += more;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #deliver(batch: readonly Outgoing[]): Promise<void> {
    for (const outgoing of batch) outgoing.onSending();
    const records = batch.flatMap((outgoing) => outgoing.records);
    for (let retryMs = RETRY_MS_MIN; !this.#closed; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        await this.#send(records);
        for (const outgoing of batch) outgoing.onAcknowledged?.();
        return;
      } catch (error) {
        if (error instanceof BatchRefused) {
          this.#refused(batch, error.message);
          return;
        }
        for (const outgoing of batch) this.#unanswered.add(outgoing);
        await pause(retryMs, undefined, { ref: false });
      }
    }
  }

  /** Nothing of this attempt is in the log. One of several is to blame: they are sent again, each alone, in order. */
  #refused(batch: readonly Outgoing[], detail: string): void {
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) {
      this.#turns.heard();
      only.onRefused(detail, !this.#unanswered.has(only));
      return;
    }
    this.#waiting.unshift(...batch);
    this.#single += batch.length;
  }
}
