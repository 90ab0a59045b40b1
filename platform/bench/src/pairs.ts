/**
 * Paired measurement: two sides of a claim run in turn (A B A B …), and the ratio is taken pair by pair, so that a
 * machine whose speed drifts moves both sides alike.
 */

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

export interface ClaimResult {
  readonly title: string;
  readonly unit: string;
  readonly a: Spread & { readonly name: string };
  readonly b: Spread & { readonly name: string };
  readonly ratio: Spread;
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

async function measure(side: Side): Promise<number> {
  const measured = await side.run();
  if (measured.count !== measured.expected) throw new CountMismatch(side.name, measured);
  return measured.figure;
}

/**
 * One warm-up of each side, then `pairs` (at least 5) alternating pairs. Which side goes first changes from pair to
 * pair. @throws CountMismatch
 */
export async function runClaim(
  claim: Claim,
  pairs: number,
  onPair: (line: string) => void,
): Promise<ClaimResult> {
  if (!Number.isInteger(pairs) || pairs < 5)
    throw new RangeError(`pairs must be a whole number from 5, got ${pairs}`);
  await measure(claim.a);
  await measure(claim.b);
  const a: number[] = [];
  const b: number[] = [];
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const aFirst = pair % 2 === 0;
    const first = await measure(aFirst ? claim.a : claim.b);
    const second = await measure(aFirst ? claim.b : claim.a);
    const [figureA, figureB] = aFirst ? [first, second] : [second, first];
    a.push(figureA);
    b.push(figureB);
    ratios.push(figureA / figureB);
    onPair(
      `pair ${pair + 1}/${pairs}: ${format(figureA)} / ${format(figureB)} ${claim.unit} = ${format(figureA / figureB)}`,
    );
  }
  const ratio = spread(ratios);
  const holds =
    'atLeast' in claim.bound ? ratio.median >= claim.bound.atLeast : ratio.median <= claim.bound.atMost;
  return {
    title: claim.title,
    unit: claim.unit,
    a: { name: claim.a.name, ...spread(a) },
    b: { name: claim.b.name, ...spread(b) },
    ratio,
    pairs,
    bound: claim.bound,
    holds,
  };
}

/** Three significant figures, thousands separated. */
export function format(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: value >= 1000 ? 4 : 3 });
}

/** Both sides, the ratio with min and max, and the bound, as lines for people. */
export function describe(result: ClaimResult): string {
  const side = (s: ClaimResult['a']): string =>
    `  ${s.name}: ${format(s.median)} ${result.unit} (${format(s.min)} to ${format(s.max)})`;
  const bound =
    'atLeast' in result.bound ? `at least ${result.bound.atLeast}` : `at most ${result.bound.atMost}`;
  const { min, median, max } = result.ratio;
  return [
    result.title,
    side(result.a),
    side(result.b),
    `  ratio: ${format(median)} (${format(min)} to ${format(max)}) over ${result.pairs} pairs, asked ${bound}: ${result.holds ? 'holds' : 'MISSED'}`,
  ].join('\n');
}
