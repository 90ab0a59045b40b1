import { attribute, logFields } from '@parley/contracts/telemetry';
import { z } from 'zod';
import type { StackUnderTest } from './stack.ts';

/** A line as the log engine gives it; every value is text there. */
export const Line = z.looseObject({
  _time: z.string(),
  _msg: z.string(),
  [attribute.serviceName]: z.string(),
  [logFields.correlationId]: z.string().optional(),
  [logFields.traceId]: z.string().optional(),
});
export type Line = z.infer<typeof Line>;

/** What VictoriaLogs answers to a query of its own language, by no way of Parley's. */
export const queryLogs = async (
  { endpoints }: Pick<StackUnderTest, 'endpoints'>,
  logsQl: string,
): Promise<readonly Line[]> => {
  if (endpoints.logs === undefined) throw new Error('the stack under test has no log engine');
  const response = await fetch(`${endpoints.logs.url}/select/logsql/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: logsQl, limit: '1000' }),
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`the log engine answered ${response.status}: ${await response.text()}`);
  const lines = (await response.text()).split('\n').filter(Boolean);
  return lines.map((line) => Line.parse(JSON.parse(line)));
};

/** The services of lines, each once. */
export const servicesOf = (lines: readonly Line[]): readonly string[] =>
  [...new Set(lines.map((line) => line[attribute.serviceName]))].toSorted();
