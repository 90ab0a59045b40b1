/**
 * Finds what stands still: a reader of the log that folds nothing while more lies in the log, a reaction whose consumer
 * group does not let it in, or whose consumer ends again and again (log/flapping.ts).
 *
 * Each is looked at whenever the log has told its ends, and time counts only between two such answers. So a log that
 * does not answer makes nobody stand still: all instances of all services would be unready together for something
 * that none of them can mend, and reads, which need no log, would be refused with the writes. The limit is longer than
 * an ordinary rebalance of a consumer group lasts, in which every member loses its partitions for a moment: a peer that
 * comes or goes makes nobody unready.
 */
import type { LogEnds } from './log-ends.ts';

/** Looks at each in so many parts of the limit. */
const LOOKS = 5;

/** What is looked at. */
export interface Watched {
  readonly what: 'reader' | 'reaction';
  readonly topic: string;
  /** Undefined while nothing is wrong; else where it is: it stands still for as long as this stays the same. */
  readonly standsAt: (ends: readonly number[]) => number | undefined;
  /** One sentence without the time. */
  readonly awaits: () => string;
}

export interface Standstill {
  readonly what: Watched['what'];
  readonly topic: string;
  readonly waitingFor: string;
  /** Milliseconds, those in which the log did not answer left out. */
  readonly forMs: number;
}

interface State {
  at: number | undefined;
  forMs: number;
}

export interface StandstillOptions {
  readonly ends: LogEnds;
  /** Milliseconds without progress. */
  readonly limitMs: number;
}

export class StandstillWatch {
  readonly #options: StandstillOptions;
  readonly #watched = new Map<Watched, State>();
  readonly #lookedAtMs = new Map<string, number>();
  readonly #looking = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StandstillOptions) {
    this.#options = options;
  }

  add(watched: Watched): void {
    this.#watched.set(watched, { at: undefined, forMs: 0 });
  }

  /** Begins to look. */
  start(): void {
    this.#timer = setInterval(() => {
      for (const topic of new Set([...this.#watched.keys()].map((watched) => watched.topic)))
        void this.#look(topic);
    }, this.#everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What has stood still for longer than the limit and still does, the longest first. */
  get standing(): readonly Standstill[] {
    const { ends, limitMs } = this.#options;
    return [...this.#watched]
      .filter(
        ([{ topic, standsAt }, { at, forMs }]) =>
          forMs >= limitMs && standsAt(ends.known(topic)?.ends ?? []) === at,
      )
      .map(([{ what, topic, awaits }, { forMs }]) => ({
        what,
        topic,
        waitingFor: `${awaits()}, for ${String(Math.round(forMs / 1000))} s`,
        forMs,
      }))
      .sort((a, b) => b.forMs - a.forMs);
  }

  get #everyMs(): number {
    return Math.max(1, Math.floor(this.#options.limitMs / LOOKS));
  }

  /** At most one question a topic is under way: while the log does not answer, no other is asked. */
  async #look(topic: string): Promise<void> {
    if (this.#looking.has(topic)) return;
    this.#looking.add(topic);
    const known = await this.#options.ends.fresh(topic);
    this.#looking.delete(topic);
    if (known === undefined) return;
    const { ends, atMs } = known;
    // An answer that was long in coming, or a process that was paused, says nothing about the time in between.
    const sinceMs = Math.min(atMs - (this.#lookedAtMs.get(topic) ?? atMs), 2 * this.#everyMs);
    this.#lookedAtMs.set(topic, atMs);
    for (const [watched, state] of this.#watched) {
      if (watched.topic !== topic) continue;
      const at = watched.standsAt(ends);
      state.forMs = at !== undefined && at === state.at ? state.forMs + sinceMs : 0;
      state.at = at;
    }
  }
}
