/**
 * Signals as contracts: the names, attributes and units of spans, metrics and log fields. Whoever makes signals and
 * whoever reads them (timeline, dashboards, alerts, tests) takes the names from here. Pure data without imports, so
 * that the platform's libraries may import it too (docs/adr/0004). Names follow OpenTelemetry's semantic conventions
 * 1.45 where those have one, and begin with `parley.` where not. No personal data is an attribute.
 */

/** Attributes of spans and metrics, by the name that code calls them. */
export const attribute = {
  serviceName: 'service.name',
  serviceInstanceId: 'service.instance.id',
  serviceVersion: 'service.version',
  peerService: 'peer.service',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatusCode: 'http.response.status_code',
  rpcSystem: 'rpc.system',
  rpcService: 'rpc.service',
  rpcMethod: 'rpc.method',
  rpcStatusCode: 'rpc.grpc.status_code',
  /** The status by name: `OK`, `UNAVAILABLE`, ... */
  rpcResponseStatus: 'rpc.response.status_code',
  messagingSystem: 'messaging.system',
  messagingDestination: 'messaging.destination.name',
  messagingOperation: 'messaging.operation.type',
  messagingMessageId: 'messaging.message.id',
  messagingBodySize: 'messaging.message.body.size',
  /** Which delivery of the message this is, from 1. */
  messagingAttempt: 'messaging.attempt',
  consumerGroup: 'messaging.consumer.group.name',
  kafkaPartition: 'messaging.kafka.partition',
  kafkaOffset: 'messaging.kafka.offset',
  correlationId: 'parley.correlation_id',
  /** One of the closed list of error codes. */
  errorCode: 'parley.error_code',
  eventType: 'parley.event.type',
  /** How the log judged a command: `accepted`, `duplicate`, `refused`, ... */
  outcome: 'parley.outcome',
  /** What a handler made of a delivery: `done`, `try-again`, `not-yet`, `dead-letter`. */
  verdict: 'parley.verdict',
  policy: 'parley.policy',
  breakerState: 'parley.breaker.state',
  /** The state that a breaker came out of. */
  breakerStateBefore: 'parley.breaker.previous_state',
  /** Pause before another attempt, in milliseconds. */
  retryDelay: 'parley.retry.delay_ms',
  orderStatus: 'parley.order.status',
  cpuMode: 'cpu.mode',
  heapSpace: 'v8js.heap.space.name',
} as const;

/** Values of `messaging.system`. */
export const messagingSystems = { kafka: 'kafka', rabbitmq: 'rabbitmq' } as const;

export interface SpanDefinition {
  readonly kind: 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER';
  /** How the span is named; `{...}` is filled in. */
  readonly name: string;
  readonly attributes: readonly string[];
}

const a = attribute;
const http = [a.httpMethod, a.httpStatusCode];
const rpc = [a.rpcSystem, a.rpcService, a.rpcMethod, a.rpcStatusCode];
const message = [a.messagingSystem, a.messagingDestination];
const rabbit = [...message, a.messagingOperation, a.messagingMessageId, a.messagingBodySize];
const server = [a.peerService, a.serverAddress, a.serverPort];
const position = [a.kafkaPartition, a.kafkaOffset];

/** Every span that a service makes. A span has no attribute that is not listed. */
export const spanDefinitions = {
  httpServer: {
    kind: 'SERVER',
    name: '{method} {route}',
    attributes: [...http, a.httpRoute, a.correlationId, a.errorCode],
  },
  httpClient: { kind: 'CLIENT', name: '{method} {route}', attributes: [...http, ...server] },
  rpcServer: { kind: 'SERVER', name: '{service}/{method}', attributes: [...rpc, a.correlationId] },
  rpcClient: { kind: 'CLIENT', name: '{service}/{method}', attributes: [...rpc, ...server] },
  /** One command, until its fate is known. */
  append: { kind: 'PRODUCER', name: 'publish {topic}', attributes: [...message, ...position, a.outcome] },
  /** One event handled by a reaction. */
  reaction: {
    kind: 'CONSUMER',
    name: 'process {topic}',
    attributes: [...message, ...position, a.consumerGroup, a.eventType, a.verdict],
  },
  queuePublish: { kind: 'PRODUCER', name: 'publish {queue}', attributes: rabbit },
  queueProcess: {
    kind: 'CONSUMER',
    name: 'process {queue}',
    attributes: [...rabbit, a.messagingAttempt, a.verdict],
  },
} as const satisfies Record<string, SpanDefinition>;

export interface SpanEventDefinition {
  readonly name: string;
  readonly attributes: readonly string[];
}

/**
 * Every event of a span, besides the `exception` of the semantic conventions. An event has no attribute that is not
 * listed.
 */
export const spanEvents = {
  /** The breaker of a policy came into another state, on the span of the call that met it. */
  breakerChange: {
    name: 'parley.policy.breaker.change',
    attributes: [a.policy, a.breakerStateBefore, a.breakerState],
  },
  /** A failed attempt is about to be followed by another; `error.type` says why. */
  retry: { name: 'parley.policy.retry', attributes: [a.policy, a.retryDelay, a.errorType] },
} as const satisfies Record<string, SpanEventDefinition>;

/** One metric; as it is, it also serves as OpenTelemetry's `MetricOptions`. */
export interface MetricDefinition {
  readonly name: string;
  readonly kind: 'histogram' | 'counter' | 'gauge' | 'updown';
  /** By UCUM, as OpenTelemetry has it: `s`, `By`, `1` (a ratio), `{thing}` (a count of things). */
  readonly unit: 's' | 'By' | '1' | `{${string}}`;
  readonly description: string;
  readonly attributes: readonly string[];
  readonly advice?: { explicitBucketBoundaries: number[] };
}

/** Upper bounds in seconds, as the semantic conventions advise for requests. */
const REQUEST_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const requests = { explicitBucketBoundaries: REQUEST_S };

/** Every metric of a service, on `GET /metrics` of its operations port. A series has no attribute that is not listed. */
export const metricDefinitions = {
  httpServerDuration: {
    name: 'http.server.request.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Duration of HTTP requests, as the service saw them',
    attributes: [a.httpMethod, a.httpRoute, a.httpStatusCode, a.errorType],
    advice: requests,
  },
  httpServerActive: {
    name: 'http.server.active_requests',
    kind: 'gauge',
    unit: '{request}',
    description: 'HTTP requests under way',
    attributes: [],
  },
  httpClientDuration: {
    name: 'http.client.request.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Duration of single attempts of HTTP requests to a peer',
    attributes: [a.httpMethod, a.httpRoute, a.httpStatusCode, a.peerService, a.errorType],
    advice: requests,
  },
  rpcServerDuration: {
    name: 'rpc.server.call.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Duration of gRPC calls, as the service saw them',
    attributes: [a.rpcMethod, a.rpcResponseStatus, a.errorType],
    advice: requests,
  },
  rpcServerActive: {
    name: 'parley.rpc.server.active_calls',
    kind: 'gauge',
    unit: '{call}',
    description: 'gRPC calls under way',
    attributes: [],
  },
  rpcClientDuration: {
    name: 'rpc.client.call.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Duration of single attempts of gRPC calls to a peer',
    attributes: [a.rpcMethod, a.rpcResponseStatus, a.peerService, a.errorType],
    advice: requests,
  },
  publishDuration: {
    name: 'messaging.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Kafka: a command until its fate is read back. RabbitMQ: a publish until its confirm',
    attributes: [a.messagingSystem, a.messagingDestination, a.outcome, a.errorType],
    advice: requests,
  },
  processDuration: {
    name: 'messaging.process.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Handling of one event or message, one attempt each',
    attributes: [a.messagingSystem, a.messagingDestination, a.consumerGroup, a.verdict, a.errorType],
    advice: requests,
  },
  consumerLag: {
    name: 'parley.consumer.lag',
    kind: 'gauge',
    unit: '{record}',
    description: 'Log end minus committed offset, over the partitions that this instance has',
    attributes: [a.messagingDestination, a.consumerGroup],
  },
  consumerStalled: {
    name: 'parley.consumer.stalled_attempts',
    kind: 'gauge',
    unit: '{attempt}',
    description: 'Attempts at the event that holds a reaction up; 0 while none does',
    attributes: [a.messagingDestination, a.consumerGroup],
  },
  projectionLag: {
    name: 'parley.projection.lag',
    kind: 'gauge',
    unit: '{record}',
    description: 'Log end minus folded offset of a topic that this instance reads',
    attributes: [a.messagingDestination],
  },
  logRecords: {
    name: 'parley.log.records',
    kind: 'counter',
    unit: '{record}',
    description: 'Records of a topic by the verdict of the fold',
    attributes: [a.messagingDestination, a.outcome],
  },
  topicFaults: {
    name: 'parley.log.topic_faults',
    kind: 'gauge',
    unit: '{setting}',
    description:
      'Settings of a topic that the log cannot be kept with, as somebody altered them since the start',
    attributes: [a.messagingDestination],
  },
  snapshotAge: {
    name: 'parley.snapshot.age',
    kind: 'gauge',
    unit: 's',
    description: "Since the newest snapshot of a topic's fold was written; no series while there is none",
    attributes: [a.messagingDestination],
  },
  snapshotSize: {
    name: 'parley.snapshot.size',
    kind: 'gauge',
    unit: 'By',
    description: "Size of the newest snapshot of a topic's fold; no series while there is none",
    attributes: [a.messagingDestination],
  },
  snapshots: {
    name: 'parley.snapshots',
    kind: 'counter',
    unit: '{snapshot}',
    description: 'Snapshots since the start: `written`, `failed` to be written, `ignored` at the start',
    attributes: [a.messagingDestination, a.outcome],
  },
  deadLetters: {
    name: 'parley.dead_letters',
    kind: 'counter',
    unit: '{message}',
    description: 'Messages and events given up and kept as dead letters',
    attributes: [a.messagingSystem, a.messagingDestination, a.consumerGroup],
  },
  deadLettersOpen: {
    name: 'parley.dead_letters.open',
    kind: 'gauge',
    unit: '{event}',
    description: 'Dead letters of a consumer group that are neither redriven nor discarded',
    attributes: [a.messagingDestination, a.consumerGroup],
  },
  consumerRetries: {
    name: 'parley.consumer.retries',
    kind: 'counter',
    unit: '{attempt}',
    description: 'Attempts at events beyond the first',
    attributes: [a.messagingDestination, a.consumerGroup],
  },
  policyCalls: {
    name: 'parley.policy.calls',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls through a policy by how they ended',
    attributes: [a.policy, a.outcome],
  },
  policyRetries: {
    name: 'parley.policy.retries',
    kind: 'counter',
    unit: '{attempt}',
    description: 'Attempts beyond the first',
    attributes: [a.policy],
  },
  breakerState: {
    name: 'parley.policy.breaker.state',
    kind: 'gauge',
    unit: '{state}',
    description: '1 for the state that a breaker is in, 0 for the others',
    attributes: [a.policy, a.breakerState],
  },
  breakerChanges: {
    name: 'parley.policy.breaker.changes',
    kind: 'counter',
    unit: '{change}',
    description: 'Changes of a breaker by the state that it came into',
    attributes: [a.policy, a.breakerState],
  },
  orderTransitions: {
    name: 'parley.order.transitions',
    kind: 'counter',
    unit: '{order}',
    description: 'Orders by the status that this instance brought them into',
    attributes: [a.orderStatus],
  },
  ordersUnfinished: {
    name: 'parley.orders.unfinished',
    kind: 'gauge',
    unit: '{order}',
    description: 'Orders of the read model that are CREATED or PAYMENT_PENDING',
    attributes: [],
  },
  timeToShipped: {
    name: 'parley.order.time_to_shipped',
    kind: 'histogram',
    unit: 's',
    description: 'From the creation of an order to its status SHIPPED',
    attributes: [],
    advice: { explicitBucketBoundaries: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] },
  },
  eventLoopUtilization: {
    name: 'nodejs.eventloop.utilization',
    kind: 'gauge',
    unit: '1',
    description: 'Share of the time since the last scrape in which the event loop was busy',
    attributes: [],
  },
  eventLoopDelayMax: {
    name: 'nodejs.eventloop.delay.max',
    kind: 'gauge',
    unit: 's',
    description: 'Longest delay of the event loop since the last scrape',
    attributes: [],
  },
  heapUsed: {
    name: 'v8js.memory.heap.used',
    kind: 'gauge',
    unit: 'By',
    description: 'Heap in use',
    attributes: [],
  },
  heapLimit: {
    name: 'v8js.memory.heap.limit',
    kind: 'gauge',
    unit: 'By',
    description: 'What the heap may grow to',
    attributes: [],
  },
  memoryUsage: {
    name: 'process.memory.usage',
    kind: 'gauge',
    unit: 'By',
    description: 'Resident memory',
    attributes: [],
  },
  cpuTime: {
    name: 'process.cpu.time',
    kind: 'counter',
    unit: 's',
    description: 'Processor time used',
    attributes: [a.cpuMode],
  },
  discoveryAge: {
    name: 'parley.discovery.age',
    kind: 'gauge',
    unit: 's',
    description: 'Since the registry last confirmed the list of instances that this one calls by',
    attributes: [],
  },
  discoveryStale: {
    name: 'parley.discovery.stale',
    kind: 'gauge',
    unit: 's',
    description: 'Since the registry lost a service whose last known instances this one still calls',
    attributes: [a.peerService],
  },
  lostSpans: {
    name: 'parley.telemetry.lost_spans',
    kind: 'counter',
    unit: '{span}',
    description: 'Spans that could not be exported',
    attributes: [],
  },
} satisfies Record<string, MetricDefinition>;

const unitSuffixes: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '1': '_ratio' };

/**
 * The name of a metric in Prometheus, with its unit, by OpenTelemetry's rules of translation:
 * `http.server.request.duration` in `s` is `http_server_request_duration_seconds` (a histogram adds `_bucket`, `_sum`
 * and `_count`), a counter ends in `_total`. An attribute becomes a label in the same way (`prometheusLabel`).
 */
export const prometheusName = (metric: {
  readonly name: string;
  readonly unit: string;
  readonly kind: string;
}): string =>
  `${prometheusLabel(metric.name)}${unitSuffixes[metric.unit] ?? ''}${metric.kind === 'counter' ? '_total' : ''}`;

/** The label of an attribute in Prometheus: `http.route` is `http_route`. */
export const prometheusLabel = (name: string): string => name.replaceAll(/[^A-Za-z0-9]+/g, '_');

/**
 * Fields of a line of a service's logger, and what each is called in the log engine, by OpenTelemetry's log data
 * model. A field that is not listed keeps its name.
 */
export const logFields = {
  time: '_time',
  msg: '_msg',
  level: 'severity_text',
  service: 'service.name',
  instance: 'service.instance.id',
  correlationId: 'correlation_id',
  traceId: 'trace_id',
  spanId: 'span_id',
  orderId: 'order_id',
  orderStatus: 'order_status',
  method: 'http.request.method',
  route: 'http.route',
  status: 'http.response.status_code',
  rpc: 'rpc.method',
  latencyMs: 'duration_ms',
} as const;
