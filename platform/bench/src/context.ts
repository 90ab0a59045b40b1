/** What a benchmark is given. Everything it starts is gone when its promise settles, whatever happens. */
export interface BenchContext {
  /** How many alternating pairs, at least 5. */
  readonly pairs: number;
  /** Compares with node-rdkafka, too, where a benchmark knows how. */
  readonly rdkafka?: boolean;
  /** Where a benchmark has parts by the number of clients, the only one that runs. */
  readonly clients?: number | undefined;
  /** The same by the number of instances of every service. */
  readonly instances?: number | undefined;
  /** Tells people how it goes, one line at a time. */
  readonly print: (line: string) => void;
  /** Aborted when the benchmark must stop: it rejects soon and leaves nothing behind. */
  readonly signal: AbortSignal;
}

/** Rejects as soon as the signal aborts, whatever becomes of `work`. */
export async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason as Error);
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
