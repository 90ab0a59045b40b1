import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { SchemaRefused } from './registry.ts';
import { TopicsRefused } from './topic-settings.ts';

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 2000;
const STILL_WAITING_MS = 10_000;

export interface Awaited {
  /** For messages. */
  readonly what: string;
  readonly logger: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/**
 * Repeats with growing pauses until it works, saying what is awaited. Refused schemas and topics are final.
 * @throws SchemaRefused, TopicsRefused, or the signal's reason once it is aborted.
 */
export async function untilItWorks<T>(
  { what, logger, signal }: Awaited,
  attempt: () => Promise<T>,
): Promise<T> {
  const startedAtMs = Date.now();
  let saidAtMs = 0;
  for (let retryMs = RETRY_MS_MIN; ; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof SchemaRefused || error instanceof TopicsRefused) throw error;
      const nowMs = Date.now();
      if (nowMs - saidAtMs >= STILL_WAITING_MS && !signal.aborted) {
        saidAtMs = nowMs;
        const err = error instanceof Error ? error.message : String(error);
        logger.warn({ waitingFor: what, waitedMs: nowMs - startedAtMs, err }, `waiting for ${what}`);
      }
      await pause(retryMs, undefined, { signal });
    }
  }
}
