/**
 * When outboxes send. A request has a price of its own, for this process, the broker and every reader of the topic, so
 * what is asked for in one turn of the event loop travels together in the next; and while what was sent last is not heard
 * of, whatever else comes is gathered, as Nagle's algorithm does. Behind a round of several commits the next one waits for
 * as long again as that round took: at most half of the time is spent on rounds, and the slower a busy machine makes them,
 * the more travels together. Who appends one commit after the other waits for nobody.
 */
import type { LogLimits } from './limits.ts';

export interface Sender {
  /** Commits that wait. */
  readonly waiting: number;
  /** Sends now. @returns how many commits */
  send(): number;
}

export class SendTurns {
  readonly #limits: Pick<LogLimits, 'lingerMs' | 'lingerCommits'>;
  readonly #due = new Set<Sender>();
  /** Commits of the last round that were not heard of. */
  #unheard = 0;
  #round = { commits: 0, startedAtMs: 0, endedAtMs: 0 };
  #next: NodeJS.Immediate | undefined;
  #lingering: NodeJS.Timeout | undefined;

  constructor(limits: Pick<LogLimits, 'lingerMs' | 'lingerCommits'>) {
    this.#limits = limits;
  }

  /** The sender has something to send, or more than before. */
  ask(sender: Sender): void {
    this.#due.add(sender);
    if (this.#next === undefined) this.#schedule();
  }

  /** The log, or the broker by refusing it, has told of a commit that was sent. */
  heard(): void {
    if (this.#unheard === 0) return;
    this.#unheard -= 1;
    if (this.#unheard > 0) return;
    this.#round.endedAtMs = performance.now();
    clearTimeout(this.#lingering);
    this.#lingering = undefined;
    if (this.#due.size > 0) this.#schedule();
  }

  #schedule(): void {
    const waitMs = this.#waiting() >= this.#limits.lingerCommits ? 0 : this.#lingerMs();
    if (waitMs > 0) this.#lingering ??= setTimeout(this.#turn, waitMs);
    else this.#next ??= setImmediate(this.#turn);
  }

  /** What is left to wait for others. */
  #lingerMs(): number {
    const { commits, startedAtMs, endedAtMs } = this.#round;
    const nowMs = performance.now();
    const leftMs = startedAtMs + this.#limits.lingerMs - nowMs;
    if (this.#unheard > 0) return leftMs;
    return commits > 1 ? Math.min(leftMs, 2 * endedAtMs - startedAtMs - nowMs) : 0;
  }

  readonly #turn = (): void => {
    clearImmediate(this.#next);
    clearTimeout(this.#lingering);
    this.#next = undefined;
    this.#lingering = undefined;
    const due = [...this.#due];
    this.#due.clear();
    const commits = due.reduce((sum, sender) => sum + sender.send(), 0);
    if (commits === 0) return;
    this.#unheard = commits;
    this.#round = { commits, startedAtMs: performance.now(), endedAtMs: 0 };
  };

  #waiting(): number {
    let waiting = 0;
    for (const sender of this.#due) waiting += sender.waiting;
    return waiting;
  }
}
