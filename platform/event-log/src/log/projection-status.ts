/** What operations see of the projections of one process: plain data, of one instant. */
import { canonical } from './canonical.ts';
import type { DomainEvent, ProjectionRows, ProjectionStatus, ReadProgress } from '../ports.ts';
import type { LogEnds } from './log-ends.ts';
import type { RebuildProgress } from './rebuild-report.ts';
import type { MemoryView } from './view.ts';

const ENDS = { ageMsMax: 1000, deadlineMs: 1000 };

export class ProjectionMonitor {
  readonly #ends: LogEnds;
  readonly #rebuilding: (name: string) => RebuildProgress | undefined;
  readonly #waitingFor: (topic: string) => string | undefined;
  readonly #views: MemoryView<unknown, DomainEvent>[] = [];
  /** The hash of a million rows takes a second: it is only computed again when something was folded since. */
  readonly #hashes = new Map<string, { readonly at: string; readonly hash: string }>();

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
    const known = this.#ends.known(topic)?.ends ?? [];
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
      waitingFor: this.#waitingFor(topic),
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
}
