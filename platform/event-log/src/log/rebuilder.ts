import type { RebuildOutcome, RebuildProgress } from './rebuild-report.ts';

/** A rebuild without its types. */
interface AnyRebuild {
  readonly status: RebuildProgress;
  abort(reason: 'closed'): void;
  run(): Promise<RebuildOutcome>;
}

/** The read models of one process and their rebuilds: one at a time for each topic. */
export class Rebuilder {
  readonly #projections = new Map<string, { readonly topic: string; readonly make: () => AnyRebuild }>();
  readonly #running = new Map<string, AnyRebuild>();
  #closed = false;

  add(name: string, topic: string, make: () => AnyRebuild): void {
    this.#projections.set(name, { topic, make });
  }

  async rebuild(name: string): Promise<RebuildOutcome> {
    const projection = this.#projections.get(name);
    if (projection === undefined) return { kind: 'unknown' };
    if (this.#closed) return { kind: 'aborted', reason: 'closed' };
    const { topic, make } = projection;
    const running = this.#running.get(topic);
    if (running !== undefined) return { kind: 'running', running: running.status };
    const rebuild = make();
    this.#running.set(topic, rebuild);
    try {
      return await rebuild.run();
    } finally {
      this.#running.delete(topic);
    }
  }

  /** Undefined when the projection is not being rebuilt. */
  running(name: string): RebuildProgress | undefined {
    for (const { status } of this.#running.values()) if (status.name === name) return status;
    return undefined;
  }

  /** Gives up what runs and refuses what comes. */
  close(): void {
    this.#closed = true;
    for (const rebuild of this.#running.values()) rebuild.abort('closed');
  }
}
