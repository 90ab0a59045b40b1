/**
 * `bench throughput`: orders a second until SHIPPED, at the order service of a whole stack, beside the same flow as five
 * plain Node processes have it, on the same engines and in turn.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Endpoints } from '@parley/contracts/endpoints';
import { ProductPage } from '@parley/contracts/rest';
import { engineHostWith, rendererOf, withOwnStack, type OwnStackOptions } from '@parley/launcher';
import type { BenchContext } from '../context.ts';
import {
  CountMismatch,
  format,
  meets,
  runPairs,
  spread,
  spreadText,
  summarize,
  type Claim,
  type Measured,
  type Pairs,
  type Side,
  type SideResult,
  type Spread,
} from '../pairs.ts';
import { pidsOf } from '../processor-time.ts';
import { runLoad, type Target } from './load.ts';
import { startRival } from './rival.ts';
import { Shipped } from './shipped.ts';

const PARLEY = 'parley';
const PLAIN = 'plain';
const CLIENTS = [1, 8, 32, 128] as const;
const INSTANCES = [1, 2] as const;
/**
 * Before the pairs: runs of both sides with at least so many clients, until two in a row have not made either faster by
 * more than this share, or so many.
 */
const WARM_UP = { clientsMin: 32, gainMax: 0.05, runsMin: 8, runsMax: 12 };
/** Products with less could run out under the benchmark. */
const STOCK_MIN = 10_000;
const PRODUCTS_TIMEOUT_MS = 10_000;
/** What both sides use; Zipkin takes the spans that only Parley makes. */
const ENGINES = [{ id: 'kafka' }, { id: 'rabbitmq' }, { id: 'zipkin' }];

/** What is asked, of one instance of each service. */
const RATIO_AT_LEAST = { clients: 32, atLeast: 1.5 };
const RATE_AT_LEAST = { clients: 128, atLeast: 400 };

interface Judged {
  readonly what: string;
  readonly figure: number;
  readonly bound: Claim['bound'];
  readonly holds: boolean;
}

/** One number of clients at one number of instances. */
export interface PartResult {
  readonly clients: number;
  readonly instances: number;
  /** Orders SHIPPED a second. */
  readonly parley: SideResult;
  readonly rival: SideResult;
  /** Pair by pair. */
  readonly ratio: Spread;
  readonly pairs: number;
  readonly judged: readonly Judged[];
  /** Absent where nothing is asked of the part. */
  readonly holds?: boolean;
}

const judge = (what: string, figure: number, atLeast: number): Judged => {
  const bound = { atLeast };
  return { what, figure, bound, holds: meets(figure, bound) };
};

/** What the pairs of a part, Parley's side being `a`, came to, and what is asked of it: of the medians. */
export const partOf = (
  { clients, instances }: Pick<PartResult, 'clients' | 'instances'>,
  { a, b, ratios }: Pairs,
): PartResult => {
  const parley = summarize(PARLEY, a);
  const rival = summarize(PLAIN, b);
  const ratio = spread(ratios);
  const judged: Judged[] = [];
  if (instances === 1 && clients === RATIO_AT_LEAST.clients)
    judged.push(judge('ratio', ratio.median, RATIO_AT_LEAST.atLeast));
  if (instances === 1 && clients === RATE_AT_LEAST.clients)
    judged.push(judge('orders a second', parley.median, RATE_AT_LEAST.atLeast));
  const verdict = judged.length === 0 ? {} : { holds: judged.every(({ holds }) => holds) };
  return { clients, instances, parley, rival, ratio, pairs: ratios.length, judged, ...verdict };
};

const describeSide = ({ name, also, ...perSecond }: SideResult): string =>
  `  ${name}: ${spreadText(perSecond)}/s; ${Object.entries(also)
    .map(([key, { median }]) => `${key} ${format(median)}`)
    .join(', ')}`;

const describePart = ({ clients, instances, parley, rival, ratio, pairs, judged }: PartResult): string =>
  [
    `${clients} clients, ${instances} instance${instances === 1 ? '' : 's'} of each service: orders a second until SHIPPED`,
    describeSide(parley),
    describeSide(rival),
    `  ratio: ${spreadText(ratio)} over ${pairs} pairs`,
    ...(judged.length === 0 ? ['  no bound for this part'] : []),
    ...judged.map(
      ({ what, figure, bound, holds }) =>
        `  ${what}: ${format(figure)}, asked at least ${'atLeast' in bound ? bound.atLeast : 0}: ${holds ? 'holds' : 'MISSED'}`,
    ),
  ].join('\n');

/** Whether a side, by its rates so far, may still be compiled and become faster. */
export const isWarming = (rates: readonly number[]): boolean => {
  if (rates.length < WARM_UP.runsMin) return true;
  if (rates.length >= WARM_UP.runsMax) return false;
  const before = Math.max(...rates.slice(0, -2));
  return Math.max(...rates.slice(-2)) > before * (1 + WARM_UP.gainMax);
};

const productsOf = async ({ product }: Endpoints): Promise<readonly string[]> => {
  const response = await fetch(`${product.http}/api/v1/products?limit=100`, {
    signal: AbortSignal.timeout(PRODUCTS_TIMEOUT_MS),
  });
  const { items } = ProductPage.parse(await response.json());
  const products = items.filter(({ stock }) => stock >= STOCK_MIN).map(({ productId }) => productId);
  if (products.length === 0) throw new Error('no product has a large stock');
  return products;
};

/** Both sides on one stack, with as many clients as there are parts. */
const measure = async (
  endpointsPath: string,
  instances: number,
  context: BenchContext,
): Promise<PartResult[]> => {
  const { print, signal, clients: only } = context;
  const endpoints = Endpoints.parse(JSON.parse(await readFile(endpointsPath, 'utf8')));
  const runDir = dirname(endpointsPath);
  const shipped = new Shipped(endpoints.kafka.bootstrap);
  const rival = await startRival(endpoints, instances);
  try {
    await shipped.start();
    const common = { products: await productsOf(endpoints), enginePids: pidsOf(runDir, ENGINES) };
    const parley: Target = {
      ...common,
      name: PARLEY,
      orderUrls: endpoints.instances
        .filter(({ service }) => service === 'order')
        .map(({ host, ports }) => `http://${host}:${ports.http}`),
      servicePids: pidsOf(runDir, endpoints.instances),
      otherPids: rival.pids,
    };
    const plain: Target = {
      ...common,
      name: PLAIN,
      orderUrls: rival.orderUrls,
      servicePids: rival.pids,
      otherPids: parley.servicePids,
    };
    const run = async (target: Target, clients: number): Promise<Measured> => {
      const measured = await runLoad(target, { shipped, clients, signal });
      if (measured.count !== measured.expected) throw new CountMismatch(target.name, measured);
      return measured;
    };
    const warmed: [number[], number[]] = [[], []];
    while (warmed.some(isWarming)) {
      const clients = Math.max(only ?? 0, WARM_UP.clientsMin);
      warmed[0].push((await run(parley, clients)).figure);
      warmed[1].push((await run(plain, clients)).figure);
      print(
        `warming up, ${clients} clients: ${warmed.map((rates) => format(rates.at(-1) ?? 0)).join(' and ')}/s`,
      );
    }
    const results: PartResult[] = [];
    for (const clients of only === undefined ? CLIENTS : [only]) {
      const side = (target: Target): Side => ({ name: target.name, run: () => run(target, clients) });
      const claim = { a: side(parley), b: side(plain), unit: 'orders/s' };
      const result = partOf({ clients, instances }, await runPairs(claim, context));
      print(describePart(result));
      results.push(result);
    }
    return results;
  } finally {
    await Promise.all([shipped.stop(), rival.stop()]);
  }
};

/** Starts a stack for each number of instances, measures both sides on it, stops it. */
export const benchThroughput = async (context: BenchContext): Promise<PartResult[]> => {
  const { print, signal, instances: only } = context;
  const results: PartResult[] = [];
  for (const instances of only === undefined ? INSTANCES : [only]) {
    const versions = Array.from({ length: instances }, () => 'dev');
    const options: OwnStackOptions = {
      engines: engineHostWith(rendererOf),
      output: { line: print, good: print, bad: print, dim: print },
      signal,
      keep: false,
      scale: {
        order: versions,
        product: versions,
        payment: versions,
        notification: versions,
        shipping: versions,
      },
    };
    results.push(
      ...(await withOwnStack(options, ({ PARLEY_ENDPOINTS = '' }) =>
        measure(PARLEY_ENDPOINTS, instances, context),
      )),
    );
  }
  return results;
};
