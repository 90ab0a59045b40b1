import { type HrTime, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { attribute } from '@parley/contracts/telemetry';

const EXPORT_TIMEOUT_MS = 5_000;
const KINDS: Partial<Record<SpanKind, string>> = {
  [SpanKind.CLIENT]: 'CLIENT',
  [SpanKind.SERVER]: 'SERVER',
  [SpanKind.PRODUCER]: 'PRODUCER',
  [SpanKind.CONSUMER]: 'CONSUMER',
};

const micros = ([seconds, nanos]: HrTime): number => seconds * 1e6 + Math.round(nanos / 1e3);
const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const tagsOf = (span: ReadableSpan): Record<string, string> => {
  const tags: Record<string, string> & { error?: string } = {};
  for (const [key, value] of Object.entries(span.attributes))
    if (value !== undefined) tags[key] = text(value);
  // Zipkin has no links: a tag keeps them findable.
  span.links.forEach((link, index) => {
    tags[`link.${index}`] = `${link.context.traceId}/${link.context.spanId}`;
  });
  if (span.status.code === SpanStatusCode.UNSET) return tags;
  tags['otel.status_code'] = span.status.code === SpanStatusCode.ERROR ? 'ERROR' : 'OK';
  if (span.status.code === SpanStatusCode.ERROR) tags.error ??= span.status.message ?? 'true';
  return tags;
};

/** One span in Zipkin's v2 JSON. A peer or a broker becomes a node of its own in the dependency graph. */
export const toZipkin = (span: ReadableSpan): object => {
  const { traceId, spanId } = span.spanContext();
  const overBroker = span.kind === SpanKind.PRODUCER || span.kind === SpanKind.CONSUMER;
  const peer =
    span.attributes[attribute.peerService] ??
    (overBroker ? span.attributes[attribute.messagingSystem] : undefined);
  return {
    traceId,
    id: spanId,
    parentId: span.parentSpanContext?.spanId,
    name: span.name,
    kind: KINDS[span.kind],
    timestamp: micros(span.startTime),
    duration: Math.max(1, micros(span.duration)),
    tags: tagsOf(span),
    localEndpoint: { serviceName: text(span.resource.attributes[attribute.serviceName]) },
    remoteEndpoint: peer === undefined ? undefined : { serviceName: text(peer) },
    annotations: span.events.map((event) => ({ timestamp: micros(event.time), value: event.name })),
  };
};

/** Posts spans to Zipkin. A failure is reported to `onFailure` and the batch is given up: spans are not precious. */
export class ZipkinExporter implements SpanExporter {
  readonly #url: string;
  readonly #onFailure: (error: Error, spans: number) => void;
  readonly #pending = new Set<Promise<void>>();

  constructor(baseUrl: string, onFailure: (error: Error, spans: number) => void) {
    this.#url = new URL('/api/v2/spans', baseUrl).href;
    this.#onFailure = onFailure;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const sending = this.#post(spans)
      .then(
        () => {
          done({ code: ExportResultCode.SUCCESS });
        },
        (cause: unknown) => {
          const error = cause instanceof Error ? cause : new Error(String(cause));
          this.#onFailure(error, spans.length);
          done({ code: ExportResultCode.FAILED, error });
        },
      )
      .finally(() => this.#pending.delete(sending));
    this.#pending.add(sending);
  }

  async #post(spans: ReadableSpan[]): Promise<void> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(spans.map(toZipkin)),
      signal: AbortSignal.timeout(EXPORT_TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`Zipkin answered ${response.status}`);
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async shutdown(): Promise<void> {
    await this.forceFlush();
  }
}
