import { z } from 'zod';

const TIMEOUT_MS = 5_000;
const QUERY_CHARACTERS_MAX = 4_096;
const POINTS_MAX = 1_000;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

const seconds = z.string().regex(/^\d{1,12}(?:\.\d{1,3})?$/, 'must be a number of seconds');
const query = z.string().min(1).max(QUERY_CHARACTERS_MAX);

/** What may be asked: one instant, or a range of a bounded number of points. */
const Instant = z.strictObject({ query, time: seconds.optional() });
const Range = z.strictObject({ query, start: seconds, end: seconds, step: seconds });

/** An answer to hand on as it is, or why nothing was asked. */
export type Proxied =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'invalid'; readonly error: string }
  | { readonly kind: 'away'; readonly error: string };

const pointsOf = ({ start, end, step }: z.infer<typeof Range>): number =>
  (Number(end) - Number(start)) / Math.max(Number(step), 1e-3);

/** Thrown while an answer is read that grows too large; what was read of it is let go. */
class TooLarge extends Error {}

/** The text of an answer, of which never more than `ANSWER_BYTES_MAX` is held. @throws TooLarge */
const boundedText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest of the answer.
    if (bytes > ANSWER_BYTES_MAX) throw new TooLarge(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/** Asks Prometheus' query API; nothing else of it can be reached through the console. */
export const askPrometheus = async (
  metricsUrl: string,
  kind: 'query' | 'query_range',
  parameters: Readonly<Record<string, string>>,
): Promise<Proxied> => {
  const parsed = (kind === 'query' ? Instant : Range).safeParse(parameters);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { kind: 'invalid', error: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` };
  }
  if ('step' in parsed.data && pointsOf(parsed.data) > POINTS_MAX)
    return { kind: 'invalid', error: `at most ${POINTS_MAX} points` };
  const url = new URL(`api/v1/${kind}`, metricsUrl.endsWith('/') ? metricsUrl : `${metricsUrl}/`);
  for (const [name, value] of Object.entries(parsed.data)) url.searchParams.set(name, String(value));
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { kind: 'answer', status: response.status, body: await boundedText(response) };
  } catch (error) {
    if (error instanceof TooLarge) return { kind: 'invalid', error: error.message };
    return { kind: 'away', error: error instanceof Error ? error.message : String(error) };
  }
};
