/** Records a time capsule from a running stack: orders through the gateway, then what the engines hold. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Endpoints } from '@parley/contracts/endpoints';
import { shippingRequests } from '@parley/contracts/queues';
import type { OrderEvent } from '@parley/contracts/events';
import { eventTopics, orderEvents } from '@parley/contracts/topics';
import {
  deriveId,
  exportKafkaLog,
  logHeaders,
  openKafkaLog,
  scanLogFile,
  type LogFileSummary,
} from '@parley/event-log';
import { pino } from 'pino';
import { capsulePaths, replayCapsule } from '../capsule.ts';
import { placeOrders } from './orders.ts';
import { openTap } from './tap.ts';

const run = promisify(execFile);
/** A capsule lies in the repository for ever: it is recorded from a fresh stack. */
export const CAPSULE_RECORDS_MAX = 2_000;
const REACTIONS_DEADLINE_MS = 30_000;

/** The stack is not there, or not one to record. */
export class StackUnfit extends Error {
  override readonly name = 'StackUnfit';
}

/** `endpoints.json` of the stack that the environment names. @throws StackUnfit when it does not run. */
export function endpointsOf(repositoryDir: string, env: NodeJS.ProcessEnv): Endpoints {
  const path = join(resolve(repositoryDir, env.PARLEY_RUN_DIR ?? '.parley'), 'endpoints.json');
  try {
    return Endpoints.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new StackUnfit(`there is no running stack (${path}). Type: npm run up`, { cause: error });
  }
}

/** Tokens of the development gateway, each minted once. */
function tokensOf(repositoryDir: string): (customerId: string) => Promise<string> {
  const minted = new Map<string, Promise<string>>();
  return (customerId) => {
    const known = minted.get(customerId);
    if (known !== undefined) return known;
    const args = [join(repositoryDir, 'bootstrap.mjs'), 'token', '--sub', customerId];
    const token = run(process.execPath, args, { cwd: repositoryDir }).then(({ stdout }) => stdout.trim());
    minted.set(customerId, token);
    return token;
  };
}

/** Writes what today's read models make of a capsule's log next to it. */
export async function writeCapsuleState(releaseDir: string): Promise<void> {
  const state = await replayCapsule(join(releaseDir, capsulePaths.log));
  writeFileSync(join(releaseDir, capsulePaths.state), `${JSON.stringify(state, undefined, 2)}\n`);
}

/** A writer that has not seen the order appends to it and loses: the capsule holds a verdict too. */
async function loseARace(endpoints: Endpoints, orderId: string): Promise<void> {
  const log = openKafkaLog({
    service: 'contracts-release',
    clientId: 'contracts-release',
    bootstrap: endpoints.kafka.bootstrap,
    registryUrl: endpoints.registry.url,
    logger: pino({ level: 'silent' }),
  });
  const orders = log.aggregate<undefined, OrderEvent>({
    name: 'order',
    topic: orderEvents,
    initial: undefined,
    evolve: () => undefined,
  });
  try {
    await log.start();
    const commitId = deriveId('contracts-release', orderId);
    const outcome = await orders.append({
      commitId,
      streamId: `order-${orderId}`,
      baseVersion: 0,
      previousCommitId: undefined,
      events: [{ type: 'OrderPaid', data: { orderId, paymentId: commitId, paidAt: Date.now() } }],
      metadata: { correlationId: commitId },
    });
    if (outcome.kind !== 'conflict') throw new Error(`a stale commit ended as ${outcome.kind}`);
  } finally {
    await log.close();
  }
}

const everyType = (): readonly string[] => eventTopics.flatMap(({ schemas }) => Object.keys(schemas));

/** Event types that a log file has no record of. */
async function missingTypes(path: string): Promise<readonly string[]> {
  const seen = new Set<string>();
  await scanLogFile(path, {
    onRecords: (records) => {
      for (const { record } of records) seen.add(String(record.headers?.[logHeaders.type]));
    },
  });
  return everyType().filter((type) => !seen.has(type));
}

/** Exports again until the reactions behind the orders have written what they write. */
async function exportWhole(endpoints: Endpoints, path: string, note: string): Promise<LogFileSummary> {
  const endAtMs = performance.now() + REACTIONS_DEADLINE_MS;
  for (;;) {
    const summary = await exportKafkaLog({
      clientId: 'contracts-release',
      bootstrap: endpoints.kafka.bootstrap,
      registryUrl: endpoints.registry.url,
      topics: eventTopics.map(({ name, partitions }) => ({ name, partitions })),
      path,
      note,
      logger: pino({ level: 'silent' }),
    });
    if (summary.records > CAPSULE_RECORDS_MAX)
      throw new StackUnfit(
        `the log holds ${summary.records} records, a capsule at most ${CAPSULE_RECORDS_MAX}. Type: npm run down && npm run clean && npm run up`,
      );
    const missing = await missingTypes(path);
    if (missing.length === 0) return summary;
    if (performance.now() > endAtMs) throw new Error(`nothing made ${missing.join(', ')}`);
  }
}

/**
 * Places orders and writes log, queue messages and state under `<releaseDir>/capsule/`. The log has every event type.
 * @throws StackUnfit when no stack runs, or its log is too large to be a capsule.
 */
export async function recordCapsule(
  releaseDir: string,
  options: { readonly repositoryDir: string; readonly note: string; readonly env: NodeJS.ProcessEnv },
): Promise<LogFileSummary> {
  const { repositoryDir, note, env } = options;
  const endpoints = endpointsOf(repositoryDir, env);
  mkdirSync(join(releaseDir, 'capsule'), { recursive: true });
  const tap = await openTap(endpoints.rabbitmq.management, shippingRequests);
  try {
    const gateway = { url: endpoints.gateway.url, tokenFor: tokensOf(repositoryDir) };
    const shipped = await placeOrders(gateway);
    const [first] = shipped;
    if (first !== undefined) await loseARace(endpoints, first);
    const summary = await exportWhole(endpoints, join(releaseDir, capsulePaths.log), note);
    const messages = await tap.drain(shipped.length);
    writeFileSync(join(releaseDir, capsulePaths.messages), `${JSON.stringify(messages, undefined, 2)}\n`);
    await writeCapsuleState(releaseDir);
    return summary;
  } finally {
    await tap.close();
  }
}
