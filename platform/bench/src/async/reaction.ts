/** A reaction that does nothing, through a recorded topic, against kafkajs `eachBatch` that does nothing. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openKafkaLog } from '@parley/event-log';
import { pino } from 'pino';
import type { BenchContext } from '../context.ts';
import { withInFlight } from '../in-flight.ts';
import { describe, runClaim, type Claim, type ClaimResult, type Measured } from '../pairs.ts';
import { tick, tickAggregate, tickTopic } from '../ticks.ts';
import { REACTION_TOPIC, type ReactionRun } from './reaction-run.ts';

const EVENTS = 100_000;
const STREAMS = 5000;
const IN_FLIGHT = 1000;
const RUN_MS_MAX = 120_000;

interface LogAddress {
  readonly bootstrap: string;
  readonly registryUrl: string;
}

/** Appends the events that both sides go through. */
async function record({ bootstrap, registryUrl }: LogAddress, signal: AbortSignal): Promise<void> {
  const logger = pino({ level: 'error' }, pino.destination(2));
  const log = openKafkaLog({ service: 'bench', clientId: 'bench', bootstrap, registryUrl, logger });
  const ticks = log.aggregate(tickAggregate(tickTopic(REACTION_TOPIC)));
  try {
    await log.start({ signal });
    const recorded = await withInFlight(EVENTS, IN_FLIGHT, async (index) => {
      const outcome = await ticks.execute({
        streamId: `tick-${index % STREAMS}`,
        commandId: randomUUID(),
        decide: () => ({ kind: 'events', events: [tick(index)] }),
        metadata: { correlationId: 'bench' },
        deadlineMs: 30_000,
      });
      return outcome.kind === 'accepted';
    });
    if (recorded !== EVENTS) throw new Error(`${recorded} events were recorded, not ${EVENTS}`);
  } finally {
    await log.close({ deadlineMs: 1000 });
  }
}

async function runOf(
  side: 'reaction' | 'bare',
  { bootstrap, registryUrl }: LogAddress,
  signal: AbortSignal,
): Promise<Measured> {
  const args = [
    join(import.meta.dirname, 'reaction-process.ts'),
    side,
    bootstrap,
    registryUrl,
    String(EVENTS),
  ];
  const env = { ...process.env, NODE_NO_WARNINGS: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, signal, timeout: RUN_MS_MAX });
  const { handled, ms, replayMs } = JSON.parse(stdout) as ReactionRun;
  const also = side === 'reaction' ? { also: { 'replay before it, ms': replayMs } } : {};
  return { figure: handled / (ms / 1000), count: handled, expected: EVENTS, ...also };
}

export async function benchReaction(address: LogAddress, context: BenchContext): Promise<ClaimResult> {
  const { print, signal } = context;
  print(`recording ${EVENTS} events`);
  await record(address, signal);
  const claim: Claim = {
    title:
      'A reaction that does nothing against bare eachBatch that does nothing, both committing every 64 events',
    unit: '/s',
    bound: { atLeast: 0.5 },
    a: { name: 'reaction', run: () => runOf('reaction', address, signal) },
    b: { name: 'bare eachBatch', run: () => runOf('bare', address, signal) },
  };
  print(claim.title);
  const result = await runClaim(claim, context);
  print(describe(result));
  return result;
}
