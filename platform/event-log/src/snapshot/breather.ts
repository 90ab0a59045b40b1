import { setImmediate as nextTurn, setTimeout as rest } from 'node:timers/promises';

/** How long a slice of work may keep the event loop, in milliseconds. */
const SLICE_MS = 4;
/** A slice that waited for the disk is no reason to rest for long. */
const REST_MS_MAX = 50;

/**
 * Cuts long work into slices, so that the service goes on answering while it is done. Pieces of work that run at the same
 * time share a slice: they pause together.
 */
export class Breather {
  readonly #signal: AbortSignal | undefined;
  #sliceStartedAtMs = performance.now();
  #longestSliceMs = 0;
  #workedMs = 0;
  #restsPerSlice: number;
  #pausing: Promise<void> | undefined;

  /**
   * @param signal ends the work at the next pause.
   * @param restsPerSlice how long a pause lasts, in lengths of the slice before it: work that is in no hurry leaves a
   * busy machine to others. 0: until everything else had a turn.
   */
  constructor(signal?: AbortSignal, restsPerSlice = 0) {
    this.#signal = signal;
    this.#restsPerSlice = restsPerSlice;
  }

  /** True when the slice is used up. Ask every few dozen steps. */
  get due(): boolean {
    return performance.now() - this.#sliceStartedAtMs >= SLICE_MS;
  }

  /** The longest slice so far that a pause has ended, in milliseconds. */
  get longestSliceMs(): number {
    return this.#longestSliceMs;
  }

  /** How long all slices together have taken until now, in milliseconds: everything but the pauses. */
  get workedMs(): number {
    return this.#workedMs + (this.#pausing === undefined ? performance.now() - this.#sliceStartedAtMs : 0);
  }

  /** From now on there is no rest. */
  hurry(): void {
    this.#restsPerSlice = 0;
  }

  /** Lets everything else have a turn. Rejects once the signal is aborted. */
  async pause(): Promise<void> {
    this.#pausing ??= this.#letOthers();
    await this.#pausing;
  }

  async #letOthers(): Promise<void> {
    const sliceMs = performance.now() - this.#sliceStartedAtMs;
    this.#longestSliceMs = Math.max(this.#longestSliceMs, sliceMs);
    this.#workedMs += sliceMs;
    const restMs = Math.min(sliceMs * this.#restsPerSlice, REST_MS_MAX);
    try {
      if (restMs > 0) await rest(restMs, undefined, { signal: this.#signal });
      else await nextTurn(undefined, { signal: this.#signal });
    } finally {
      this.#pausing = undefined;
      this.#sliceStartedAtMs = performance.now();
    }
  }
}

const RUN = 4096;

/** The strings in ascending order of their code units, sorted in slices. */
export async function sortInSlices(unsorted: Iterable<string>, breather: Breather): Promise<string[]> {
  let runs: string[][] = [];
  let run: string[] = [];
  for (const text of unsorted) {
    run.push(text);
    if (run.length < RUN) continue;
    runs.push(run.sort());
    run = [];
    await breather.pause();
  }
  runs.push(run.sort());
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const [a = [], b = []] = runs.slice(index, index + 2);
      merged.push(b.length === 0 ? a : await merge(a, b, breather));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(a: readonly string[], b: readonly string[], breather: Breather): Promise<string[]> {
  const merged: string[] = [];
  let inA = 0;
  let inB = 0;
  for (;;) {
    const fromA = a[inA];
    const fromB = b[inB];
    if (fromA === undefined && fromB === undefined) return merged;
    if (fromB === undefined || (fromA !== undefined && fromA <= fromB)) {
      if (fromA !== undefined) merged.push(fromA);
      inA++;
    } else {
      merged.push(fromB);
      inB++;
    }
    if ((merged.length & 0xff) === 0 && breather.due) await breather.pause();
  }
}
