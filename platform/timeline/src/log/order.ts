/** `npm run log -- order <order id>`: all that happened because of one order, across services, causes first. */
import { timestampOf } from '@parley/contracts/limits';
import { CommandError } from '../cli/exit.ts';
import { describe, timeOf, type RecordInfo } from '../inspect/describe.ts';
import type { Inspected } from '../inspect/inspector.ts';
import { inspectTopic } from '../inspect/scan.ts';
import { topics } from '../projections.ts';
import type { Output } from '../render/output.ts';
import { table } from '../render/table.ts';
import type { LogSource } from '../source/log-source.ts';
import { inCausalOrder, type Happening } from '../trace/causal-order.ts';
import { hopsOf, spanKey, toldAncestor, type Hop } from '../trace/hops.ts';
import { fetchTrace, parseTraceparent, type FetchedTrace, type Span } from '../trace/zipkin.ts';

/** One line of the story. */
export interface StoryItem {
  readonly kind: 'event' | 'call' | 'message';
  /** Milliseconds since the first item. */
  readonly atMs: number;
  /** Milliseconds since its latest cause; undefined when nothing known caused it. */
  readonly afterCauseMs: number | undefined;
  readonly service: string;
  readonly protocol: string;
  readonly what: string;
  readonly tookMs: number | undefined;
  readonly failed: boolean;
  readonly id: string;
  readonly causes: readonly string[];
  readonly record?: RecordInfo;
}

export interface OrderStory {
  readonly orderId: string;
  readonly startedAt: string;
  readonly correlationIds: readonly string[];
  readonly traces: readonly (
    | { readonly traceId: string; readonly kind: 'there'; readonly spans: number }
    | { readonly traceId: string; readonly kind: 'gone' }
    | { readonly traceId: string; readonly kind: 'unreachable'; readonly reason: string }
    | { readonly traceId: string; readonly kind: 'not-asked' }
  )[];
  readonly items: readonly StoryItem[];
}

interface Running {
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Base URL of Zipkin's API; undefined: traces are not asked for. */
  readonly tracesApi: string | undefined;
}

const orderIdIn = (record: Inspected): unknown =>
  record.event !== undefined && 'orderId' in record.event.data ? record.event.data.orderId : undefined;

/**
 * Every record that belongs to an order: its event names it, or its stream is called after it, or it was caused by
 * one that belongs to it, or shares a correlation id with one and names no other order.
 */
async function recordsOf(
  source: LogSource,
  orderId: string,
  { output, signal }: Pick<Running, 'output' | 'signal'>,
): Promise<readonly Inspected[]> {
  const found: Inspected[] = [];
  const causes = new Set<string>();
  const correlations = new Set<string>();
  const belongs = (record: Inspected, info: RecordInfo): boolean => {
    const named = orderIdIn(record);
    if (named !== undefined) return named === orderId;
    if (record.streamId?.endsWith(`-${orderId}`) === true) return true;
    if (info.causationId !== undefined && causes.has(info.causationId)) return true;
    return info.correlationId !== undefined && correlations.has(info.correlationId);
  };
  for (const topic of topics) {
    if ((await source.endOffsets(topic.name)).length === 0) continue;
    const onInspected = (record: Inspected): void => {
      const info = describe(record);
      if (!belongs(record, info)) return;
      found.push(record);
      if (info.eventId !== undefined) causes.add(info.eventId);
      if (info.correlationId !== undefined) correlations.add(info.correlationId);
    };
    await inspectTopic(source, topic, onInspected, { output, signal });
  }
  return found;
}

type Told = Happening & { readonly item: Omit<StoryItem, 'atMs' | 'afterCauseMs' | 'causes' | 'id'> };

const serviceOf = (info: RecordInfo): string => info.source?.split('/').at(-1) ?? '?';

const idOf = (info: RecordInfo): string => info.eventId ?? info.position;

/** The span in which an event was appended. */
const spanOf = (info: RecordInfo): string | undefined => {
  const parent = parseTraceparent(info.traceparent);
  return parent && spanKey(parent.traceId, parent.spanId);
};

function eventItem(record: Inspected, causes: readonly string[]): Told {
  const info = describe(record);
  const { type = '?', stream = '?', version, verdict } = info;
  const at = `${stream} v${version === undefined ? '?' : String(version)}`;
  return {
    id: idOf(info),
    causes,
    atMs: timeOf(record.raw),
    item: {
      kind: 'event',
      service: serviceOf(info),
      protocol: 'event',
      what: verdict === 'accepted' ? `${type}  ${at}` : `${type}  ${at}  (${verdict})`,
      tookMs: undefined,
      failed: verdict !== 'accepted',
      record: info,
    },
  };
}

function hopItem(hop: Hop, causes: readonly string[]): Told {
  const { id, atMs, kind, protocol, from, to, what, tookMs, failed } = hop;
  const text = `${from ?? 'client'} → ${to}  ${what}`;
  return { id, causes, atMs, item: { kind, service: to, protocol, what: text, tookMs, failed } };
}

/** Who tells of a span: the events that an append wrote, a hop, or the nearest of these above it. */
class Tellers {
  readonly #spans: ReadonlyMap<string, Span>;
  readonly #hops: ReadonlySet<string>;
  /** The span of an append -> ids of its events, in their order. */
  readonly #eventsOfSpan = new Map<string, string[]>();

  constructor(infos: readonly RecordInfo[], spans: readonly Span[], hops: readonly Hop[]) {
    this.#spans = new Map(spans.map((span) => [spanKey(span.traceId, span.id), span]));
    this.#hops = new Set(hops.map(({ id }) => id));
    for (const info of infos) {
      const key = spanOf(info);
      if (key === undefined) continue;
      const events = this.#eventsOfSpan.get(key) ?? [];
      if (!events.includes(idOf(info))) events.push(idOf(info));
      this.#eventsOfSpan.set(key, events);
    }
  }

  /** The item for this span, or for the nearest told one above it. */
  of(key: string): readonly string[] {
    const told = toldAncestor(key, this.#spans, (at) => this.#eventsOfSpan.has(at) || this.#hops.has(at));
    if (told === undefined) return [];
    return [this.#eventsOfSpan.get(told)?.at(-1) ?? told];
  }

  /** What led to an event: the event before it in its commit, else whatever its append happened in. */
  ofEvent(info: RecordInfo): readonly string[] {
    const key = spanOf(info);
    if (key === undefined) return [];
    const events = this.#eventsOfSpan.get(key) ?? [];
    const before = events[events.indexOf(idOf(info)) - 1];
    if (before !== undefined) return [before];
    const parentId = this.#spans.get(key)?.parentId;
    const traceId = key.split('/', 1)[0] ?? '';
    return parentId === undefined ? [] : this.of(spanKey(traceId, parentId));
  }
}

/** The story from records and the traces that are left. Pure. */
export function tell(
  orderId: string,
  records: readonly Inspected[],
  traces: readonly FetchedTrace[],
): OrderStory {
  const spans = traces.flatMap((trace) => (trace.kind === 'there' ? trace.spans : []));
  const hops = hopsOf(spans);
  const infos = records.map(describe);
  const tellers = new Tellers(infos, spans, hops);
  const eventIds = new Set(infos.map(idOf));
  const eventAt = new Map(infos.map((info) => [info.position, idOf(info)]));
  const items: Told[] = [
    ...records.map((record) => {
      const info = describe(record);
      const caused =
        info.causationId !== undefined && eventIds.has(info.causationId) ? [info.causationId] : [];
      return eventItem(record, [...new Set([...caused, ...tellers.ofEvent(info)])]);
    }),
    ...hops.map((hop) => {
      // A message from the log names its event; the span above it may stand for several.
      const event = hop.position === undefined ? undefined : eventAt.get(hop.position);
      return hopItem(hop, event === undefined ? hop.causes.flatMap((cause) => tellers.of(cause)) : [event]);
    }),
  ];
  const startedAtMs = Math.min(...items.map(({ atMs }) => atMs));
  const times = new Map(items.map(({ id, atMs }) => [id, atMs]));
  const story = inCausalOrder(items).map(({ id, causes, atMs, item }): StoryItem => {
    const causedAtMs = Math.max(...causes.map((cause) => times.get(cause) ?? -Infinity));
    const afterCauseMs = Number.isFinite(causedAtMs) ? atMs - causedAtMs : undefined;
    return { ...item, id, causes, atMs: atMs - startedAtMs, afterCauseMs };
  });
  return {
    orderId,
    startedAt: timestampOf(startedAtMs),
    correlationIds: [...new Set(infos.flatMap((info) => info.correlationId ?? []))],
    traces: traces.map((trace) =>
      trace.kind === 'there' ? { traceId: trace.traceId, kind: 'there', spans: trace.spans.length } : trace,
    ),
    items: story,
  };
}

/** @throws CommandError when the log knows nothing of the order. */
export async function orderStory(source: LogSource, orderId: string, running: Running): Promise<OrderStory> {
  const records = await recordsOf(source, orderId, running);
  if (records.length === 0) throw new CommandError('failed', `${source.name} knows no order ${orderId}`);
  const traceIds = new Set(
    records.flatMap((record) => parseTraceparent(describe(record).traceparent)?.traceId ?? []),
  );
  const { tracesApi } = running;
  if (tracesApi === undefined) {
    const story = tell(orderId, records, []);
    return { ...story, traces: [...traceIds].map((traceId) => ({ traceId, kind: 'not-asked' })) };
  }
  const traces = await Promise.all([...traceIds].map((traceId) => fetchTrace(tracesApi, traceId)));
  return tell(orderId, records, traces);
}

const ms = (value: number | undefined): string =>
  value === undefined ? '' : value.toFixed(value < 10 ? 1 : 0);

export function printStory(story: OrderStory, output: Output): void {
  output.print(`order ${story.orderId}, from ${story.startedAt} on; times in ms`);
  output.print(
    table(
      ['AT', 'SINCE LAST', 'SINCE CAUSE', 'HOW', 'SERVICE', 'WHAT', 'TOOK', 'POSITION'],
      story.items.map((item, index) => [
        ms(item.atMs),
        ms(item.atMs - (story.items[index - 1]?.atMs ?? item.atMs)),
        ms(item.afterCauseMs),
        item.protocol,
        item.service,
        item.failed ? `✗ ${item.what}` : item.what,
        ms(item.tookMs),
        item.record?.position ?? '',
      ]),
      { right: [0, 1, 2, 6] },
    ),
  );
  if (story.traces.length === 0)
    output.print('no event of it carries a trace: calls and messages are not known');
  for (const trace of story.traces) {
    switch (trace.kind) {
      case 'there':
        output.print(`trace ${trace.traceId}: ${String(trace.spans)} spans`);
        break;
      case 'gone':
        output.print(
          `trace ${trace.traceId} is gone: Zipkin keeps traces in memory only. Its calls and messages are not shown`,
        );
        break;
      case 'unreachable':
        output.print(
          `trace ${trace.traceId} cannot be had (${trace.reason}): its calls and messages are not shown`,
        );
        break;
      case 'not-asked':
        output.print(
          `trace ${trace.traceId}: no trace store is known, so its calls and messages are not shown`,
        );
        break;
    }
  }
}
