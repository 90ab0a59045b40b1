import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

const Asked = z.looseObject({ correlationId: z.string().nullable() });
const Line = z.looseObject({
  limitDecidedAtMs: z.number(),
  status: z.int(),
  upstream: z.string().nullable(),
  correlationId: z.string(),
});

/** One request as the gateway's own log has it. */
export interface Logged {
  readonly correlationId: string;
  /** When the limiter decided about it, milliseconds since the epoch by the limiter's clock. */
  readonly decidedAtMs: number;
  readonly status: number;
  /** Whether a service was asked. */
  readonly reachedService: boolean;
}

const linesOf = (path: string): readonly string[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'));

/**
 * The log's lines of these correlation ids, which are of counted requests, in the order in which the limiter decided,
 * once all are written. A request that the gateway refuses itself names its route's service too, so whether one was asked
 * is told by the number of attempts.
 */
export const gatewayLog = async (
  { runDir }: Pick<StackUnderTest, 'runDir'>,
  correlationIds: readonly string[],
): Promise<readonly Logged[]> => {
  const wanted = new Set(correlationIds);
  const look = (): readonly Logged[] | undefined => {
    const found = linesOf(join(runDir, 'logs/gateway-access.log')).flatMap((text): Logged[] => {
      if (!wanted.has(Asked.parse(JSON.parse(text)).correlationId ?? '')) return [];
      const line = Line.parse(JSON.parse(text));
      return [
        {
          correlationId: line.correlationId,
          decidedAtMs: line.limitDecidedAtMs,
          status: line.status,
          reachedService: Number(line.attempts ?? 0) > 0,
        },
      ];
    });
    return found.length < wanted.size ? undefined : found.toSorted((a, b) => a.decidedAtMs - b.decidedAtMs);
  };
  return waitFor('the gateway to have written its log', look, { deadlineMs: 120_000, intervalMs: 200 });
};

/** The value of one of the gateway's counters, summed over its labels that contain `label`; 0 while there is none. */
export const gatewayCounter = async (adminUrl: string, name: string, label: string): Promise<number> => {
  const text = await (await fetch(new URL('/stats/prometheus', adminUrl))).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
};
