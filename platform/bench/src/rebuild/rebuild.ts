/**
 * `bench rebuild`: the order service rebuilds its read model from a large log beside the live one, while it is read,
 * against a plain start's replay of the same log.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { httpHeaders } from '@parley/contracts/headers';
import { OpsRebuild } from '@parley/contracts/rest';
import { startTestEngines } from '@parley/engines/testing';
import type { BenchContext } from '../context.ts';
import { describeLimit, limitOf, type LimitResult } from '../limit.ts';
import { describe, percentile, runClaim, type ClaimResult, type Measured } from '../pairs.ts';
import { OrderService } from '../ready/order-service.ts';
import { eventsOf } from '../replay/order-events.ts';
import type { LogAddress } from '../replay/orders.ts';
import type { Replayed } from '../replay/readers.ts';
import { runJob } from '../replay/job.ts';
import { Readers } from './readers.ts';

const EVENTS = 200_000;
/** A rebuild reads and folds what a start does, compares every row, and shares its thread with 50 reads a second. */
const TIME_RATIO_MAX = 2;
const READ_P99_MS_MAX = 100;
const READ_LONGEST_MS_MAX = 500;
const REBUILD_TIMEOUT_MS = 120_000;
const KIBIBYTES_PER_MEBIBYTE = 1024;

/** Resident memory in MiB, as it is and at most since `forgetPeak`. */
async function memoryOf(pid: number): Promise<{ readonly nowMiB: number; readonly peakMiB: number }> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(String.raw`^${name}:\s*(\d+) kB$`, 'm').exec(status)?.[1]) / KIBIBYTES_PER_MEBIBYTE;
  return { nowMiB: field('VmRSS'), peakMiB: field('VmHWM') };
}

/** What proc(5) says of the value 5: the peak resident set is measured from now on. False on a kernel without it. */
const forgetPeak = (pid: number): Promise<boolean> =>
  writeFile(`/proc/${String(pid)}/clear_refs`, '5').then(
    () => true,
    () => false,
  );

const customerOf = (number: number): string => {
  const [created] = eventsOf(number);
  if (created?.type !== 'OrderCreated') throw new Error('an order begins with its creation');
  return created.data.customerId;
};

/** The list of a customer's orders, another customer every time. */
const readOf = (service: OrderService): Readers =>
  new Readers(
    (turn) =>
      new Request(`${service.http}/api/v1/orders?limit=20`, {
        headers: { [httpHeaders.userId]: customerOf(turn) },
      }),
  );

async function postRebuild(service: OrderService, signal: AbortSignal): Promise<OpsRebuild> {
  const answer = await fetch(`${service.ops}/ops/projections/orders/rebuild`, {
    method: 'POST',
    signal: AbortSignal.any([signal, AbortSignal.timeout(REBUILD_TIMEOUT_MS)]),
  });
  const body: unknown = await answer.json();
  if (answer.status !== 200)
    throw new Error(`the rebuild was answered with ${answer.status}: ${JSON.stringify(body)}`);
  return OpsRebuild.parse(body);
}

/** One rebuild under reads; their latencies go into `rounds`. Rejects when a read fails or when the rows differ. */
async function rebuild(
  service: OrderService,
  rounds: (readonly number[])[],
  signal: AbortSignal,
): Promise<Measured> {
  const { nowMiB } = await memoryOf(service.pid);
  const fromHere = await forgetPeak(service.pid);
  const readers = readOf(service);
  const startedAtMs = performance.now();
  const report = await postRebuild(service, signal).finally(() => readers.stop());
  if (report.differed) throw new Error('the rebuilt read model is not what it was');
  const latencies = readers.latenciesMs;
  rounds.push(latencies);
  const { peakMiB } = await memoryOf(service.pid);
  return {
    figure: report.tookMs,
    count: report.events,
    expected: EVENTS,
    digest: `${report.rows} rows`,
    also: {
      reads: latencies.length,
      readP50Ms: percentile(latencies, 0.5),
      readP99Ms: percentile(latencies, 0.99),
      readLongestMs: percentile(latencies, 1),
      rssBeforeMiB: nowMiB,
      ...(fromHere ? { peakRssMiB: peakMiB } : {}), // otherwise it is that of the service's whole life
      sinceCallMs: performance.now() - startedAtMs,
    },
  };
}

async function measure(
  address: LogAddress,
  service: OrderService,
  context: BenchContext,
): Promise<(ClaimResult | LimitResult)[]> {
  const { print, signal } = context;
  const rounds: (readonly number[])[] = [];
  const title = `Rebuild of ${EVENTS.toLocaleString('en-US')} events beside the live read model, under 50 reads/s, against a plain replay`;
  print(title);
  const claim = await runClaim(
    {
      title,
      unit: 'ms',
      bound: { atMost: TIME_RATIO_MAX },
      a: { name: 'rebuild', run: () => rebuild(service, rounds, signal) },
      b: {
        name: 'replay of a start',
        run: async () => {
          const { events, elapsedMs, peakRssBytes, rows } = await runJob<Replayed>('log', address, context);
          return {
            figure: elapsedMs,
            count: events,
            expected: EVENTS,
            digest: `${rows} rows`,
            also: { peakRssMiB: peakRssBytes / KIBIBYTES_PER_MEBIBYTE ** 2 },
          };
        },
      },
    },
    context,
  );
  print(describe(claim));
  const [, ...counted] = rounds; // as everywhere, the warm-up does not count
  const limits = [
    limitOf('Reads during a rebuild', counted, { quantile: 0.99, unit: 'ms', atMost: READ_P99_MS_MAX }),
    limitOf('The longest read during a rebuild', counted, {
      quantile: 1,
      unit: 'ms',
      atMost: READ_LONGEST_MS_MAX,
    }),
  ];
  for (const limit of limits) print(describeLimit(limit));
  return [claim, ...limits];
}

/** Starts engines of its own, records the orders, measures, stops. */
export async function benchRebuild(context: BenchContext): Promise<(ClaimResult | LimitResult)[]> {
  const { print, signal } = context;
  print('starting Kafka and the registry');
  const engines = await startTestEngines({ only: ['kafka', 'registry'] });
  const snapshotDir = await mkdtemp(join(tmpdir(), 'parley-rebuild-'));
  let service: OrderService | undefined;
  try {
    signal.throwIfAborted();
    print(`recording ${EVENTS.toLocaleString('en-US')} events`);
    const { recorded } = await runJob<{ readonly recorded: number }>('record', engines, context, EVENTS);
    if (recorded !== EVENTS) throw new Error(`${recorded} of ${EVENTS} events were recorded`);
    service = await OrderService.start(engines, snapshotDir);
    await service.ready(signal);
    await service.said('snapshot written', signal); // it shares the thread and the memory that are measured
    return await measure(engines, service, context);
  } finally {
    await service?.stop();
    await engines.stop();
    await rm(snapshotDir, { recursive: true, force: true });
  }
}
