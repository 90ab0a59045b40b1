/**
 * `bench ready`: the order service restarts on a log of a million events and on one of ten thousand, each from its
 * snapshot. The first start of each has none: it replays, and writes the snapshot that the others start from.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestEngines } from '@parley/engines/testing';
import type { BenchContext } from '../context.ts';
import { describe, format, runClaim, type ClaimResult, type Measured } from '../pairs.ts';
import { runJob } from '../replay/job.ts';
import type { LogAddress } from '../replay/orders.ts';
import { OrderService } from './order-service.ts';

const LARGE = 1_000_000;
const SMALL = 10_000;
const RATIO_MAX = 1.5;
const MEBIBYTE = 1024 * 1024;

interface Recorded {
  readonly address: LogAddress;
  readonly events: number;
  readonly snapshotDir: string;
}

async function record(address: LogAddress, events: number, context: BenchContext): Promise<void> {
  context.print(`recording ${events.toLocaleString('en-US')} events`);
  const { recorded } = await runJob<{ readonly recorded: number }>('record', address, context, events);
  if (recorded !== events) throw new Error(`${recorded} of ${events} events were recorded`);
}

/** The start without a snapshot: replays, then writes one. */
async function firstStart(
  { address, events, snapshotDir }: Recorded,
  { print, signal }: BenchContext,
): Promise<void> {
  const service = await OrderService.start(address, snapshotDir);
  try {
    const readyMs = await service.ready(signal);
    const written = await service.said('snapshot written', signal);
    if (written.events !== events) throw new Error(`a snapshot of ${String(written.events)} events`);
    print(
      `  ${events.toLocaleString('en-US')} events replayed: ready in ${format(readyMs)} ms; snapshot of ` +
        `${format(Number(written.bytes) / MEBIBYTE)} MiB written in ${format(Number(written.tookMs))} ms, ` +
        `of which ${format(Number(written.workedMs))} ms were work, ` +
        `longest slice ${format(Number(written.longestSliceMs))} ms`,
    );
  } finally {
    await service.stop();
  }
}

/** One restart. Counts what the snapshot held: what was started from must be the whole log. */
async function restart({ address, events, snapshotDir }: Recorded, signal: AbortSignal): Promise<Measured> {
  const service = await OrderService.start(address, snapshotDir);
  try {
    const readyMs = await service.ready(signal);
    const started = await service.said('started from a snapshot', signal);
    return { figure: readyMs, count: Number(started.events), expected: events };
  } finally {
    await service.stop();
  }
}

/** Starts engines of its own, records both logs, measures, stops. */
export async function benchReady(context: BenchContext): Promise<ClaimResult[]> {
  const { print, signal } = context;
  print('starting two brokers, each with its registry');
  const directory = await mkdtemp(join(tmpdir(), 'parley-ready-'));
  const engines: Awaited<ReturnType<typeof startTestEngines>>[] = [];
  try {
    const recorded: Recorded[] = [];
    for (const events of [LARGE, SMALL]) {
      signal.throwIfAborted();
      const address = await startTestEngines({ only: ['kafka', 'registry'] });
      engines.push(address);
      await record(address, events, context);
      const log = { address, events, snapshotDir: join(directory, String(events)) };
      await firstStart(log, context);
      recorded.push(log);
    }
    const [large, small] = recorded;
    if (large === undefined || small === undefined) throw new Error('two logs are compared');
    const title = 'Restart of the order service until it is ready, with 1,000,000 events against 10,000';
    print(title);
    const result = await runClaim(
      {
        title,
        unit: 'ms',
        bound: { atMost: RATIO_MAX },
        a: { name: '1,000,000 events', run: () => restart(large, signal) },
        b: { name: '10,000 events', run: () => restart(small, signal) },
      },
      context,
    );
    print(describe(result));
    return [result];
  } finally {
    for (const engine of engines) await engine.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
