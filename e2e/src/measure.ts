/** What a sample of latencies says, in milliseconds. */
export interface Latencies {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Percentiles by nearest rank. Throws on an empty sample: it proves nothing. */
export const latenciesOf = (valuesMs: readonly number[]): Latencies => {
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    if (value === undefined) throw new RangeError('no latency was measured');
    return Math.round(value * 10) / 10;
  };
  return { samples: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
};
