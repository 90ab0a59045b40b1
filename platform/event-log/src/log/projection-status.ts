/** What operations see of the projections of one process: plain data, of one instant. */
import { canonical } from './canonical.ts';
import type { DomainEvent, ProjectionRows, ProjectionStatus, ReadProgress } from '../ports.ts';
import type { RebuildProgress } from './rebuild-report.ts';
import type { MemoryView } from './view.ts';

const ENDS_AGE_MS = 1000;
const ENDS_DEADLINE_MS = 1000;

export class ProjectionMonitor {
  readonly #endOffsets: (topic: string) => Promise<readonly number[]>;
  readonly #now: () => number;
  readonly #rebuilding: (name: string) => RebuildProgress | undefined;
  readonly #views: MemoryView<unknown, DomainEvent>[] = [];
  readonly #ends = new Map<string, { readonly ends: readonly number[]; readonly atMs: number }>();
  readonly #asked = new Map<string, Promise<void>>();
  /** The hash of a million rows takes a second: it is only computed again when something was folded since. */
  readonly #hashes = new Map<string, { readonly at: string; readonly hash: string }>();

  constructor(
    endOffsets: (topic: string) => Promise<readonly number[]>,
    now: () => number,
    rebuilding: (name: string) => RebuildProgress | undefined,
  ) {
    this.#endOffsets = endOffsets;
    this.#now = now;
    this.#rebuilding = rebuilding;
  }

  add(view: MemoryView<unknown, DomainEvent>): void {
    this.#views.push(view);
  }

  /** Answers within a second also when the log does not: the ends are then those last known. */
  async statuses(): Promise<readonly ProjectionStatus[]> {
    await Promise.all(
      [...new Set(this.#views.map((view) => view.progress().topic))].map((topic) => this.#look(topic)),
    );
    return this.#views.map((view) => this.#statusOf(view));
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

  #statusOf(view: MemoryView<unknown, DomainEvent>): ProjectionStatus {
    const progress = view.progress();
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
    const known = this.#ends.get(topic)?.ends ?? [];
    const ends = positions.map((next, partition) => Math.max(next, known[partition] ?? 0));
    return {
      name: view.name,
      topic,
      positions,
      ends,
      lag: ends.reduce((sum, end, partition) => sum + end - (positions[partition] ?? 0), 0),
      stateHash: this.#hashOf(view, progress),
      rows: view.size,
      applied: progress.accepted,
      conflicts,
      duplicates,
      badRecords,
      skippedTypes,
      failedFolds,
      rebuilding: running !== undefined,
      rebuild: running && { positions: running.positions, live: running.live },
    };
  }

  #hashOf(view: MemoryView<unknown, DomainEvent>, progress: ReadProgress): string {
    const at = JSON.stringify([progress, view.takeovers]);
    const cached = this.#hashes.get(view.name);
    if (cached?.at === at) return cached.hash;
    const hash = view.stateHash();
    this.#hashes.set(view.name, { at, hash });
    return hash;
  }

  /** One question at a time for each topic: while the log does not answer, the next caller waits for the same one. */
  async #look(topic: string): Promise<void> {
    const last = this.#ends.get(topic);
    if (last !== undefined && this.#now() - last.atMs < ENDS_AGE_MS) return;
    const asked = this.#asked.get(topic) ?? this.#ask(topic);
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(late.resolve, ENDS_DEADLINE_MS, undefined);
    await Promise.race([asked, late.promise]);
    clearTimeout(timer);
  }

  #ask(topic: string): Promise<void> {
    const asked = this.#endOffsets(topic)
      .then(
        (ends) => void this.#ends.set(topic, { ends, atMs: this.#now() }),
        () => undefined, // closed, or the topic is not there: what was known stays
      )
      .finally(() => this.#asked.delete(topic));
    this.#asked.set(topic, asked);
    return asked;
  }
}
