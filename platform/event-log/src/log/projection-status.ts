/** What operations see of the projections of one process: plain data, of one instant. */
import { canonical } from './canonical.ts';
import type { DomainEvent, ProjectionRows, ProjectionStatus, ReadProgress } from '../ports.ts';
import { Breather } from '../snapshot/breather.ts';
import type { LogEnds } from './log-ends.ts';
import type { RebuildProgress } from './rebuild-report.ts';
import { SharedAsk } from './shared-ask.ts';
import type { MemoryView } from './view.ts';

const ENDS = { ageMsMax: 1000, deadlineMs: 1000 };

/** Times that a hash is begun again, as the rows were dropped or taken over meanwhile; then it is made in one piece. */
const RESTARTS_MAX = 3;

/** A view at one instant. */
interface Instant {
  readonly progress: ReadProgress;
  readonly rows: number;
  readonly hash: string;
}

export class ProjectionMonitor {
  readonly #ends: LogEnds;
  readonly #rebuilding: (name: string) => RebuildProgress | undefined;
  readonly #waitingFor: (topic: string) => string | undefined;
  readonly #views: MemoryView<unknown, DomainEvent>[] = [];
  /** The hash of a million rows takes a second: it is only computed again when something was folded since. */
  readonly #instants = new Map<string, Instant & { readonly takeovers: number }>();
  readonly #asks = new Map<string, SharedAsk<Instant>>();

  constructor(
    ends: LogEnds,
    ask: {
      readonly rebuilding: (name: string) => RebuildProgress | undefined;
      /** What the reader of a topic that stands still waits for. */
      readonly waitingFor: (topic: string) => string | undefined;
    },
  ) {
    this.#ends = ends;
    this.#rebuilding = ask.rebuilding;
    this.#waitingFor = ask.waitingFor;
  }

  add(view: MemoryView<unknown, DomainEvent>): void {
    this.#views.push(view);
  }

  /** Answers within a second also when the log does not: the ends are then those last known. */
  async statuses(): Promise<readonly ProjectionStatus[]> {
    const topics = new Set(this.#views.map((view) => view.progress().topic));
    await Promise.all([...topics].map((topic) => this.#ends.recent(topic, ENDS)));
    return Promise.all(this.#views.map(async (view) => this.#statusOf(view, await this.#askOf(view).ask())));
  }

  rows(
    name: string,
    options: { readonly limit: number; readonly after?: string },
  ): ProjectionRows | undefined {
    const view = this.#views.find((candidate) => candidate.name === name);
    if (view === undefined) return undefined;
    const { topic, nextOffsets } = view.progress();
    const entries = view.entries(options);
    const rows = entries.map(([key, row]) => ({ key, row: JSON.parse(canonical(row)) as unknown }));
    const nextAfter = entries.length < options.limit ? undefined : entries.at(-1)?.[0];
    return { name, topic, positions: nextOffsets, rows, nextAfter };
  }

  #statusOf(view: MemoryView<unknown, DomainEvent>, { progress, rows, hash }: Instant): ProjectionStatus {
    const {
      topic,
      nextOffsets: positions,
      conflicts,
      duplicates,
      badRecords,
      skippedTypes,
      failedFolds,
    } = progress;
    const running = this.#rebuilding(view.name);
    const known = this.#ends.known(topic)?.ends ?? [];
    const ends = positions.map((next, partition) => Math.max(next, known[partition] ?? 0));
    return {
      name: view.name,
      topic,
      positions,
      ends,
      lag: ends.reduce((sum, end, partition) => sum + end - (positions[partition] ?? 0), 0),
      stateHash: hash,
      rows,
      applied: progress.accepted,
      conflicts,
      duplicates,
      badRecords,
      skippedTypes,
      failedFolds,
      waitingFor: this.#waitingFor(topic),
      rebuilding: running !== undefined,
      rebuild: running && { positions: running.positions, live: running.live },
    };
  }

  #askOf(view: MemoryView<unknown, DomainEvent>): SharedAsk<Instant> {
    const known = this.#asks.get(view.name);
    if (known !== undefined) return known;
    const ask = new SharedAsk(() => this.#instantOf(view));
    this.#asks.set(view.name, ask);
    return ask;
  }

  /** The hash is that of exactly the positions that are told with it, however long it takes. */
  async #instantOf(view: MemoryView<unknown, DomainEvent>): Promise<Instant> {
    for (let restarts = 0; ; restarts++) {
      const { takeovers, size: rows } = view;
      const progress = view.progress();
      const known = this.#instants.get(view.name);
      if (known?.takeovers === takeovers && JSON.stringify(known.progress) === JSON.stringify(progress))
        return known;
      const hash = restarts < RESTARTS_MAX ? await view.hashInSlices(new Breather()) : view.stateHash();
      if (hash === undefined) continue;
      const instant = { progress, rows, hash, takeovers };
      this.#instants.set(view.name, instant);
      return instant;
    }
  }
}
