import { z } from 'zod';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

/** A span as Zipkin's API gives it. */
export const Span = z.looseObject({
  traceId: z.string(),
  id: z.string(),
  parentId: z.string().optional(),
  name: z.string().default(''),
  kind: z.enum(['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER']).optional(),
  localEndpoint: z.looseObject({ serviceName: z.string() }),
  tags: z.record(z.string(), z.string()).default({}),
});
export type Span = z.infer<typeof Span>;

/** What a span of a hop must be. The name is compared in lower case: Zipkin lowers it. */
export interface SpanShape {
  readonly service: string;
  readonly kind: Span['kind'];
  readonly name?: RegExp;
}

const fits = (span: Span, { service, kind, name }: SpanShape): boolean =>
  span.localEndpoint.serviceName === service &&
  span.kind === kind &&
  (name === undefined || name.test(span.name));

/** The trace as Zipkin has it now; undefined when it knows nothing of it. */
export const readTrace = async (
  { endpoints }: Pick<StackUnderTest, 'endpoints'>,
  traceId: string,
): Promise<readonly Span[] | undefined> => {
  const response = await fetch(`${endpoints.traces.api}/trace/${traceId}`, {
    signal: AbortSignal.timeout(60_000),
  });
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  return z.array(Span).parse(await response.json());
};

/**
 * One path down a trace: a span of each shape, each the parent of the next. Undefined when there is none. Depth first,
 * so that a sibling that fits but leads nowhere does not hide the right one.
 */
export const descend = (
  spans: readonly Span[],
  shapes: readonly SpanShape[],
  parent?: Span,
): readonly Span[] | undefined => {
  const [shape, ...rest] = shapes;
  if (shape === undefined) return [];
  for (const span of spans) {
    if (!fits(span, shape) || (parent !== undefined && span.parentId !== parent.id)) continue;
    const below = descend(spans, rest, span);
    if (below !== undefined) return [span, ...below];
  }
  return undefined;
};

/**
 * The paths of a trace that a client began, once Zipkin has all of them and the parent of every span: a span is sent when
 * it ends, so a child may be there before its parent. Throws at the deadline with what is missing.
 */
export const waitForPaths = async (
  stack: StackUnderTest,
  traceparent: string,
  paths: Readonly<Record<string, readonly SpanShape[]>>,
): Promise<{
  readonly spans: readonly Span[];
  readonly paths: Readonly<Record<string, readonly Span[]>>;
}> => {
  const [, traceId = '', clientSpanId = ''] = traceparent.split('-');
  const look = async (): Promise<Awaited<ReturnType<typeof waitForPaths>> | undefined> => {
    const spans = (await readTrace(stack, traceId)) ?? [];
    const found = Object.entries(paths).map(([name, shapes]) => [name, descend(spans, shapes)] as const);
    const known = new Set([clientSpanId, ...spans.map(({ id }) => id)]);
    const missing = [
      ...found.filter(([, path]) => path === undefined).map(([name]) => `path ${name}`),
      ...spans.filter(({ parentId = '' }) => !known.has(parentId)).map(({ id }) => `parent of ${id}`),
    ];
    if (missing.length > 0)
      throw new Error(
        `no ${missing.join(', ')} in:\n${spans.map((s) => `${s.localEndpoint.serviceName} ${s.kind ?? ''} ${s.name} ${s.id} < ${s.parentId ?? ''}`).join('\n')}`,
      );
    return { spans, paths: Object.fromEntries(found.map(([name, path]) => [name, path ?? []])) };
  };
  return waitFor(`the trace ${traceId}`, look, { deadlineMs: 120_000, intervalMs: 250 });
};
