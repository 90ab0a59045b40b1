/** Spans told as what they are between services: calls, messages, requests from outside. */
import { attribute, messagingSystems } from '@parley/contracts/telemetry';
import type { Happening } from './causal-order.ts';
import type { Span } from './zipkin.ts';

/** A call or a message between two parts, or a request from outside. */
export interface Hop extends Happening {
  readonly kind: 'call' | 'message';
  readonly protocol: string;
  /** Undefined: from outside. */
  readonly from: string | undefined;
  readonly to: string;
  readonly what: string;
  /** A call: until its answer. A message: how long its handling took. */
  readonly tookMs: number | undefined;
  readonly failed: boolean;
  /** `topic/partition@offset` of the event that is handled. */
  readonly position?: string | undefined;
}

/** A span's name within its trace. */
export const spanKey = (traceId: string, spanId: string): string => `${traceId}/${spanId}`;
const keyOf = ({ traceId, id }: Span): string => spanKey(traceId, id);

const protocolOf = ({ tags }: Span): string => {
  const messaging = tags[attribute.messagingSystem];
  if (messaging !== undefined) return messaging === messagingSystems.rabbitmq ? 'RabbitMQ' : 'Kafka';
  if (tags[attribute.rpcSystem] !== undefined || tags[attribute.rpcService] !== undefined) return 'gRPC';
  return 'HTTP';
};

/** Zipkin lowers names; the tags still have them as they are. */
const whatOf = ({ tags, name }: Span): string => {
  const method = tags[attribute.rpcMethod] ?? tags[attribute.eventType];
  if (method !== undefined) return method;
  const [verb, route] = [tags[attribute.httpMethod], tags[attribute.httpRoute]];
  return verb === undefined || route === undefined ? name : `${verb} ${route}`;
};

const isFailed = ({ tags }: Span): boolean =>
  tags.error !== undefined || tags['otel.status_code'] === 'ERROR';

const took = ({ duration }: Span): number | undefined =>
  duration === undefined ? undefined : duration / 1000;

/** Spans of one or more traces by their keys. */
class SpanTree {
  readonly #byKey: ReadonlyMap<string, Span>;

  constructor(spans: readonly Span[]) {
    this.#byKey = new Map(spans.map((span) => [keyOf(span), span]));
  }

  parentOf(span: Span): Span | undefined {
    return span.parentId === undefined ? undefined : this.#byKey.get(spanKey(span.traceId, span.parentId));
  }
}

const causesOf = (span: Span | undefined): readonly string[] =>
  span?.parentId === undefined ? [] : [spanKey(span.traceId, span.parentId)];

const common = (span: Span): Pick<Hop, 'id' | 'protocol' | 'what' | 'tookMs'> => ({
  id: keyOf(span),
  protocol: protocolOf(span),
  what: whatOf(span),
  tookMs: took(span),
});

/** A call as the one who answered saw it, with the caller's times when the caller is in the trace. */
function answeredCall(span: Span, parent: Span | undefined): Hop {
  const caller = parent?.kind === 'CLIENT' ? parent : undefined;
  return {
    ...common(span),
    kind: 'call',
    causes: causesOf(caller ?? span),
    atMs: ((caller ?? span).timestamp ?? 0) / 1000,
    tookMs: took(caller ?? span),
    from: parent?.localEndpoint.serviceName,
    to: span.localEndpoint.serviceName,
    failed: isFailed(span) || (caller !== undefined && isFailed(caller)),
  };
}

const silentCall = (span: Span): Hop => ({
  ...common(span),
  kind: 'call',
  causes: causesOf(span),
  atMs: (span.timestamp ?? 0) / 1000,
  from: span.localEndpoint.serviceName,
  to: span.tags[attribute.peerService] ?? 'somebody who is not in the trace',
  failed: isFailed(span),
});

const positionIn = ({ tags }: Span): string | undefined => {
  const [partition, offset] = [tags[attribute.kafkaPartition], tags[attribute.kafkaOffset]];
  if (partition === undefined || offset === undefined) return undefined;
  return `${tags[attribute.messagingDestination] ?? ''}/${partition}@${offset}`;
};

function message(span: Span): Hop {
  const self = span.localEndpoint.serviceName;
  const queue = span.tags[attribute.messagingDestination] ?? protocolOf(span);
  return {
    ...common(span),
    kind: 'message',
    causes: causesOf(span),
    atMs: (span.timestamp ?? 0) / 1000,
    from: span.kind === 'PRODUCER' ? self : queue,
    to: span.kind === 'PRODUCER' ? queue : self,
    failed: isFailed(span),
    position: positionIn(span),
  };
}

/**
 * One hop for each span that crosses a border. A CLIENT span and the SERVER span that answers it are one call, told
 * under the id of the server's side; a consumer's span is one message. The span of an append is none: the event that
 * it wrote stands for it.
 */
export function hopsOf(spans: readonly Span[]): readonly Hop[] {
  const tree = new SpanTree(spans);
  const answered = new Set(spans.filter(({ kind }) => kind === 'SERVER').map((span) => tree.parentOf(span)));
  return spans.flatMap((span): readonly Hop[] => {
    switch (span.kind) {
      case 'SERVER':
        return [answeredCall(span, tree.parentOf(span))];
      case 'CLIENT':
        return answered.has(span) ? [] : [silentCall(span)];
      case 'CONSUMER':
        return [message(span)];
      case 'PRODUCER':
        return protocolOf(span) === 'Kafka' ? [] : [message(span)];
      case undefined:
        return [];
    }
  });
}

/** The nearest ancestor of a span that is told, by the keys that are told; spans in between cross no border. */
export function toldAncestor(
  key: string,
  spans: ReadonlyMap<string, Span>,
  isTold: (key: string) => boolean,
): string | undefined {
  const seen = new Set<string>();
  for (let at: string | undefined = key; at !== undefined && !seen.has(at);) {
    if (isTold(at)) return at;
    seen.add(at);
    const span = spans.get(at);
    at = span?.parentId === undefined ? undefined : spanKey(span.traceId, span.parentId);
  }
  return undefined;
}
