/**
 * `bench codec`: the log's codec (wire format with its prefix, one codec for every type of a topic) against bare avsc,
 * which writes and reads the same Avro without it. No engine is needed; every run is a process of its own.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchContext } from '../context.ts';
import { describe, runClaim, type Claim, type ClaimResult, type Side } from '../pairs.ts';
import type { Coded, Job } from './sides.ts';

const JOB_TIMEOUT_MS = 120_000;

export async function benchCodec(context: BenchContext): Promise<ClaimResult[]> {
  const { print, signal } = context;
  const side = (name: string, job: Job): Side => ({
    name,
    run: async () => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [join(import.meta.dirname, 'process.ts'), job],
        { env: { ...process.env, NODE_NO_WARNINGS: '1' }, signal, timeout: JOB_TIMEOUT_MS },
      );
      const { events, expected, elapsedMs, digest } = JSON.parse(stdout) as Coded; // what our own process prints
      return { figure: events / elapsedMs, count: events, expected, digest };
    },
  });
  const claims: readonly Claim[] = [
    {
      title: 'Encoding order events, prefix included, against avsc toBuffer',
      unit: 'events/ms',
      bound: { atLeast: 0.8 },
      a: side('codec', 'codec-encode'),
      b: side('bare avsc', 'avsc-encode'),
    },
    {
      title: 'Decoding order events, schema found by its id, against avsc fromBuffer',
      unit: 'events/ms',
      bound: { atLeast: 0.8 },
      a: side('codec', 'codec-decode'),
      b: side('bare avsc', 'avsc-decode'),
    },
  ];
  const results: ClaimResult[] = [];
  for (const claim of claims) {
    print(claim.title);
    const result = await runClaim(claim, context);
    print(describe(result));
    results.push(result);
  }
  return results;
}
