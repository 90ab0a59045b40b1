/** Spans of one trace, from Zipkin's API. */
import { z } from 'zod';
import { messageOf } from '../cli/exit.ts';

const TIMEOUT_MS = 5000;

export const Span = z.looseObject({
  traceId: z.string(),
  id: z.string(),
  parentId: z.string().optional(),
  name: z.string().default(''),
  kind: z.enum(['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER']).optional(),
  /** Microseconds since the epoch. */
  timestamp: z.number().optional(),
  /** Microseconds. */
  duration: z.number().optional(),
  localEndpoint: z.looseObject({ serviceName: z.string() }),
  tags: z.record(z.string(), z.string()).default({}),
});
export type Span = z.infer<typeof Span>;

/** What is left of a trace. Zipkin keeps traces in memory: old ones go, and all of them when it restarts. */
export type FetchedTrace =
  | { readonly kind: 'there'; readonly traceId: string; readonly spans: readonly Span[] }
  | { readonly kind: 'gone'; readonly traceId: string }
  | { readonly kind: 'unreachable'; readonly traceId: string; readonly reason: string };

/** `api` is the base URL of the API, `…/api/v2`. */
export async function fetchTrace(api: string, traceId: string): Promise<FetchedTrace> {
  try {
    const response = await fetch(`${api}/trace/${encodeURIComponent(traceId)}`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 404) return { kind: 'gone', traceId };
    if (!response.ok)
      return { kind: 'unreachable', traceId, reason: `it answered ${String(response.status)}` };
    return { kind: 'there', traceId, spans: z.array(Span).parse(await response.json()) };
  } catch (error) {
    return { kind: 'unreachable', traceId, reason: messageOf(error) };
  }
}

const PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/** Trace id and span id of a W3C traceparent; undefined when it is none. */
export function parseTraceparent(
  value: string | undefined,
): { readonly traceId: string; readonly spanId: string } | undefined {
  const [, traceId, spanId] = PARENT.exec(value ?? '') ?? [];
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
}
