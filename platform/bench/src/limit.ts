/** A claim without a rival: a quantile of what was measured stays below a limit. */
import { format, percentile, spread, type Spread } from './pairs.ts';

export interface Limit {
  /** Of the samples, between 0 and 1. */
  readonly quantile: number;
  readonly unit: string;
  readonly atMost: number;
}

export interface LimitResult {
  readonly title: string;
  readonly unit: string;
  readonly limit: Limit;
  /** The quantile over all samples. */
  readonly figure: number;
  /** The quantile of each round. */
  readonly rounds: Spread;
  readonly median: number;
  readonly max: number;
  readonly samples: number;
  readonly holds: boolean;
}

/** Judges the samples of all rounds together. */
export function limitOf(title: string, rounds: readonly (readonly number[])[], limit: Limit): LimitResult {
  const samples = rounds.flat();
  const figure = percentile(samples, limit.quantile);
  return {
    title,
    unit: limit.unit,
    limit,
    figure,
    rounds: spread(rounds.map((round) => percentile(round, limit.quantile))),
    median: percentile(samples, 0.5),
    max: percentile(samples, 1),
    samples: samples.length,
    holds: figure < limit.atMost,
  };
}

/** As lines for people. */
export function describeLimit({ title, unit, limit, figure, rounds, ...rest }: LimitResult): string {
  const name = `p${Math.round(limit.quantile * 100)}`;
  return [
    title,
    `  ${name}: ${format(figure)} ${unit} of ${rest.samples} (a round: ${format(rounds.min)} to ${format(rounds.max)}), asked under ${limit.atMost}: ${rest.holds ? 'holds' : 'MISSED'}`,
    `  p50: ${format(rest.median)} ${unit}, slowest: ${format(rest.max)} ${unit}`,
  ].join('\n');
}
