/** Runs a job on a recorded log in a process of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchContext } from '../context.ts';
import type { LogAddress } from './orders.ts';

export type Job = 'record' | 'log' | 'bare' | 'rdkafka';

/** A replay takes seconds and a recording minutes; past this a process is ended. */
const JOB_TIMEOUT_MS = 1_800_000;

/** What a job prints; the process is ours and checks its own results. @param events how many to record. */
export async function runJob<T>(
  job: Job,
  { bootstrap, registryUrl }: LogAddress,
  { print, signal }: Pick<BenchContext, 'print' | 'signal'>,
  events = 0,
): Promise<T> {
  const args = [join(import.meta.dirname, 'process.ts'), job, bootstrap, registryUrl, String(events)];
  const env = { ...process.env, NODE_NO_WARNINGS: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' };
  const running = promisify(execFile)(process.execPath, args, { env, signal, timeout: JOB_TIMEOUT_MS });
  running.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.trimEnd().split('\n')) print(line);
  });
  return JSON.parse((await running).stdout) as T;
}
