/**
 * `bench replay`: recorded orders through the event log into the order projection, against bare kafkajs with the
 * same decoding and the same fold. Every run is a process of its own.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startTestEngines } from '@parley/engines/testing';
import type { BenchContext } from '../context.ts';
import { describe, runClaim, type ClaimResult, type Measured } from '../pairs.ts';
import type { LogAddress } from './orders.ts';
import type { Replayed } from './readers.ts';

const EVENTS = 1_000_000;
const MEBIBYTE = 1024 * 1024;
/** A replay takes seconds and a recording a minute or two; past this a process is ended. */
const JOB_TIMEOUT_MS = 600_000;

/** What a job prints; the process is ours and checks its own results. */
async function runJob<T>(
  job: 'record' | 'log' | 'bare',
  { bootstrap, registryUrl }: LogAddress,
  { print, signal }: BenchContext,
): Promise<T> {
  const args = [join(import.meta.dirname, 'process.ts'), job, bootstrap, registryUrl, String(EVENTS)];
  const env = { ...process.env, NODE_NO_WARNINGS: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' };
  const running = promisify(execFile)(process.execPath, args, { env, signal, timeout: JOB_TIMEOUT_MS });
  running.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.trimEnd().split('\n')) print(line);
  });
  return JSON.parse((await running).stdout) as T;
}

/** Starts engines of its own, records the orders, measures, stops. */
export async function benchReplay(context: BenchContext): Promise<ClaimResult[]> {
  const { print } = context;
  print('starting Kafka and the registry');
  const engines = await startTestEngines({ only: ['kafka', 'registry'] });
  try {
    context.signal.throwIfAborted();
    print(`recording ${EVENTS.toLocaleString('en-US')} events`);
    const { recorded } = await runJob<{ readonly recorded: number }>('record', engines, context);
    if (recorded !== EVENTS) throw new Error(`${recorded} of ${EVENTS} events were recorded`);
    const side = (job: 'log' | 'bare') => async (): Promise<Measured> => {
      const { events, elapsedMs, cpuMs, peakRssBytes, rows, rowsDigest } = await runJob<Replayed>(
        job,
        engines,
        context,
      );
      return {
        figure: events / (elapsedMs / 1000),
        count: events,
        expected: EVENTS,
        digest: `${rows} rows ${rowsDigest}`,
        also: { peakRssMiB: peakRssBytes / MEBIBYTE, cpuSeconds: cpuMs / 1000 },
      };
    };
    const title = `Replay of ${EVENTS.toLocaleString('en-US')} events into the order projection against bare kafkajs`;
    print(title);
    const result = await runClaim(
      {
        title,
        unit: 'events/s',
        bound: { atLeast: 0.8 },
        a: { name: 'event log', run: side('log') },
        b: { name: 'bare eachBatch, avsc and fold', run: side('bare') },
      },
      context,
    );
    print(describe(result));
    return [result];
  } finally {
    await engines.stop();
  }
}
