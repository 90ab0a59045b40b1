/**
 * Paired measurement: two sides of a claim run in turn (A B A B …), and the ratio is taken pair by pair, so that a
 * machine whose speed drifts moves both sides alike.
 */

import type { BenchContext } from './context.ts';

/** Fewer pairs say nothing about a spread. */
export const PAIRS_MIN = 5;

/** One side of a pair: does its work and answers a figure in `unit` and how many operations it completed. */
export interface Side {
  readonly name: string;
  readonly run: () => Promise<Measured>;
}

export interface Measured {
  /** The figure that is compared, in the unit of the claim. */
  readonly figure: number;
  /** Operations completed and confirmed; must equal `expected`. */
  readonly count: number;
  readonly expected: number;
  /** What else was measured, by a name that ends in its unit: reported, not compared. */
  readonly also?: Readonly<Record<string, number>>;
  /** Names the result of the work: both sides of a pair must come to the same one. */
  readonly digest?: string;
}

export interface Claim {
  readonly title: string;
  readonly unit: string;
  /** The bound on the median ratio a ÷ b. */
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
  readonly a: Side;
  readonly b: Side;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** One side over all pairs. */
export interface SideResult extends Spread {
  readonly name: string;
  readonly also: Readonly<Record<string, Spread>>;
}

export interface ClaimResult {
  readonly title: string;
  readonly unit: string;
  readonly a: SideResult;
  readonly b: SideResult;
  readonly ratio: Spread;
  /** Of what else both sides measured, pair by pair, by its name. */
  readonly alsoRatios: Readonly<Record<string, Spread>>;
  readonly pairs: number;
  readonly bound: Claim['bound'];
  readonly holds: boolean;
}

/** Thrown when a side did not complete exactly what it was asked to: its figure would be worthless. */
export class CountMismatch extends Error {
  constructor(side: string, measured: Measured) {
    super(`${side}: ${measured.count} operations confirmed, ${measured.expected} expected`);
    this.name = 'CountMismatch';
  }
}

/** Thrown when the two sides of a pair did not come to the same result: one of them did other work. */
export class ResultMismatch extends Error {
  constructor(claim: Pick<Claim, 'a' | 'b'>, a: Measured, b: Measured) {
    super(`${claim.a.name} came to ${a.digest ?? 'nothing'}, ${claim.b.name} to ${b.digest ?? 'nothing'}`);
    this.name = 'ResultMismatch';
  }
}

/** Smallest, middle (the upper one of two) and largest of at least one number. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((x, y) => x - y);
  const min = sorted[0];
  const median = sorted[Math.floor(sorted.length / 2)];
  const max = sorted.at(-1);
  if (min === undefined || median === undefined || max === undefined)
    throw new RangeError('spread of no values');
  return { min, median, max };
}

/** The nearest-rank percentile of at least one number; `quantile` is above 0 and at most 1. */
export function percentile(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((x, y) => x - y);
  const value = sorted[Math.ceil(quantile * sorted.length) - 1];
  if (value === undefined) throw new RangeError(`no percentile ${quantile} of ${sorted.length} values`);
  return value;
}

async function measure(side: Side): Promise<Measured> {
  const measured = await side.run();
  if (measured.count !== measured.expected) throw new CountMismatch(side.name, measured);
  return measured;
}

/** A side over all its runs. */
export function summarize(name: string, runs: readonly Measured[]): SideResult {
  const names = new Set(runs.flatMap(({ also = {} }) => Object.keys(also)));
  const also = [...names].map((key): [string, Spread] => [
    key,
    spread(runs.flatMap((run) => run.also?.[key] ?? [])),
  ]);
  return { name, ...spread(runs.map(({ figure }) => figure)), also: Object.fromEntries(also) };
}

/** Ratios of what else both sides measured, pair by pair. */
function alsoRatiosOf(a: readonly Measured[], b: readonly Measured[]): Record<string, Spread> {
  const ratios = new Map<string, number[]>();
  a.forEach(({ also = {} }, pair) => {
    for (const [name, ofA] of Object.entries(also)) {
      const ofB = b[pair]?.also?.[name];
      if (ofB !== undefined) ratios.set(name, [...(ratios.get(name) ?? []), ofA / ofB]);
    }
  });
  return Object.fromEntries([...ratios].map(([name, values]) => [name, spread(values)]));
}

/**
 * Turns a secondary measurement of a claim into a claim of its own, over the same pairs.
 * @throws RangeError when one of the sides did not measure it
 */
export function claimOf(
  result: ClaimResult,
  also: { readonly name: string; readonly title: string; readonly unit: string },
): ClaimResult {
  const ratio = result.alsoRatios[also.name];
  const sideOf = ({ name, also: measured }: SideResult): SideResult => {
    const figure = measured[also.name];
    if (figure === undefined) throw new RangeError(`${name} has no ${also.name}`);
    return { name, ...figure, also: {} };
  };
  if (ratio === undefined) throw new RangeError(`no pair has ${also.name}`);
  return {
    ...result,
    title: also.title,
    unit: also.unit,
    a: sideOf(result.a),
    b: sideOf(result.b),
    ratio,
    alsoRatios: {},
    holds: meets(ratio.median, result.bound),
  };
}

function checkPairs({ pairs }: Pick<BenchContext, 'pairs'>): void {
  if (!Number.isInteger(pairs) || pairs < PAIRS_MIN)
    throw new RangeError(`pairs must be a whole number from ${PAIRS_MIN}, got ${pairs}`);
}

/** What the pairs of two sides came to, in the order in which they ran. */
export interface Pairs {
  readonly a: readonly Measured[];
  readonly b: readonly Measured[];
  /** a ÷ b. */
  readonly ratios: readonly number[];
}

/**
 * `pairs` (at least 5) alternating pairs. Which side goes first changes from pair to pair. Between two sides it looks at
 * `signal`. @throws CountMismatch, ResultMismatch
 */
export async function runPairs(
  claim: Pick<Claim, 'a' | 'b' | 'unit'>,
  { pairs, print, signal }: Pick<BenchContext, 'pairs' | 'print' | 'signal'>,
): Promise<Pairs> {
  checkPairs({ pairs });
  const a: Measured[] = [];
  const b: Measured[] = [];
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    signal.throwIfAborted();
    const aFirst = pair % 2 === 0;
    const first = await measure(aFirst ? claim.a : claim.b);
    signal.throwIfAborted();
    const second = await measure(aFirst ? claim.b : claim.a);
    const [ofA, ofB] = aFirst ? [first, second] : [second, first];
    if (ofA.digest !== ofB.digest) throw new ResultMismatch(claim, ofA, ofB);
    a.push(ofA);
    b.push(ofB);
    ratios.push(ofA.figure / ofB.figure);
    print(
      `  pair ${pair + 1}/${pairs}: ${format(ofA.figure)} / ${format(ofB.figure)} ${claim.unit} = ${format(ofA.figure / ofB.figure)}`,
    );
  }
  return { a, b, ratios };
}

/** One warm-up of each side, then `runPairs`. @throws CountMismatch, ResultMismatch */
export async function runClaim(
  claim: Claim,
  context: Pick<BenchContext, 'pairs' | 'print' | 'signal'>,
): Promise<ClaimResult> {
  checkPairs(context);
  await measure(claim.a);
  context.signal.throwIfAborted();
  await measure(claim.b);
  const { a, b, ratios } = await runPairs(claim, context);
  const ratio = spread(ratios);
  return {
    title: claim.title,
    unit: claim.unit,
    a: summarize(claim.a.name, a),
    b: summarize(claim.b.name, b),
    ratio,
    alsoRatios: alsoRatiosOf(a, b),
    pairs: ratios.length,
    bound: claim.bound,
    holds: meets(ratio.median, claim.bound),
  };
}

/** Whether a figure is within a bound. */
export const meets = (figure: number, bound: Claim['bound']): boolean =>
  'atLeast' in bound ? figure >= bound.atLeast : figure <= bound.atMost;

/** Three significant figures, thousands separated. */
export function format(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: value >= 1000 ? 4 : 3 });
}

/** Both sides, the ratio with min and max, and the bound, as lines for people. */
export function describe(result: ClaimResult): string {
  const side = (s: SideResult): string[] => [
    `  ${s.name}: ${spreadText(s)} ${result.unit}`,
    ...Object.entries(s.also).map(([name, also]) => `    ${name}: ${spreadText(also)}`),
  ];
  const bound =
    'atLeast' in result.bound ? `at least ${result.bound.atLeast}` : `at most ${result.bound.atMost}`;
  return [
    result.title,
    ...side(result.a),
    ...side(result.b),
    `  ratio: ${spreadText(result.ratio)} over ${result.pairs} pairs, asked ${bound}: ${result.holds ? 'holds' : 'MISSED'}`,
  ].join('\n');
}

/** `median (min to max)`. */
export const spreadText = ({ min, median, max }: Spread): string =>
  `${format(median)} (${format(min)} to ${format(max)})`;
