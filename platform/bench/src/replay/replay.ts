/**
 * `bench replay`: recorded orders through the event log into the order projection, against bare kafkajs with the
 * same decoding and the same fold, and against node-rdkafka when asked. Every run is a process of its own.
 */
import { startTestEngines } from '@parley/engines/testing';
import type { BenchContext } from '../context.ts';
import { describe, runClaim, type Claim, type ClaimResult, type Side } from '../pairs.ts';
import { runJob, type Job } from './job.ts';
import type { LogAddress } from './orders.ts';
import { obtainRdkafka } from './rdkafka.ts';
import type { Replayed } from './readers.ts';
import { countRegistryHits, type HitsResult } from './registry-hits.ts';

const EVENTS = 1_000_000;
const MEBIBYTE = 1024 * 1024;

/** Starts engines of its own, records the orders, measures, stops. */
export async function benchReplay(context: BenchContext): Promise<(ClaimResult | HitsResult)[]> {
  const { print } = context;
  if (context.rdkafka === true) await obtainRdkafka(context);
  print('starting Kafka and the registry');
  const engines = await startTestEngines({ only: ['kafka', 'registry'] });
  try {
    context.signal.throwIfAborted();
    print(`recording ${EVENTS.toLocaleString('en-US')} events`);
    const { recorded } = await runJob<{ readonly recorded: number }>('record', engines, context, EVENTS);
    if (recorded !== EVENTS) throw new Error(`${recorded} of ${EVENTS} events were recorded`);
    const hits = await countRegistryHits(
      engines,
      EVENTS,
      async (address) => (await runJob<Replayed>('log', address, context)).events,
      context,
    );
    const results: (ClaimResult | HitsResult)[] = [hits];
    for (const claim of claimsOn(engines, context)) {
      print(claim.title);
      const result = await runClaim(claim, context);
      print(describe(result));
      results.push(result);
    }
    return results;
  } finally {
    await engines.stop();
  }
}

function claimsOn(engines: LogAddress, context: BenchContext): readonly Claim[] {
  const side = (name: string, job: Job): Side => ({
    name,
    run: async () => {
      const measured = await runJob<Replayed>(job, engines, context);
      const { events, elapsedMs, cpuMs, peakRssBytes, heldBytes, rows, rowsDigest } = measured;
      return {
        figure: events / (elapsedMs / 1000),
        count: events,
        expected: EVENTS,
        digest: `${rows} rows ${rowsDigest}`,
        also: {
          peakRssMiB: peakRssBytes / MEBIBYTE,
          heldPerMillionOrdersMiB: (heldBytes / MEBIBYTE / rows) * 1_000_000,
          cpuSeconds: cpuMs / 1000,
        },
      };
    },
  });
  const what = `Replay of ${EVENTS.toLocaleString('en-US')} events into the order projection`;
  const claim = (against: string, atLeast: number, b: Side): Claim => ({
    title: `${what} against ${against}`,
    unit: 'events/s',
    bound: { atLeast },
    a: side('event log', 'log'),
    b,
  });
  const bare = claim('bare kafkajs', 0.8, side('bare eachBatch, avsc and fold', 'bare'));
  if (context.rdkafka !== true) return [bare];
  return [bare, claim('node-rdkafka', 1.2, side('node-rdkafka, avsc and fold', 'rdkafka'))];
}
