import { eventSchemas } from '@parley/contracts/events';
import { shippingRequests, ShippingRequested } from '@parley/contracts/queues';
import { eventTopics } from '@parley/contracts/topics';
import { logHeaders } from '@parley/event-log';
import type { JsonSchemaObject } from '../json-schema/accepts.ts';
import { jsonSchemaOf } from './json-schema.ts';
import type { ServiceWiring } from './wiring.ts';

type Fragment = Readonly<Record<string, unknown>>;

const ref = (...steps: readonly string[]): Fragment => ({
  $ref: `#/${steps.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`,
});

const headerDocs: Readonly<Record<keyof typeof logHeaders, Fragment>> = {
  specVersion: { const: '1.0', description: 'CloudEvents version.' },
  id: {
    type: 'string',
    format: 'uuid',
    description: 'Event id: UUIDv5 of commit id and index in the commit.',
  },
  type: { type: 'string', description: 'Event type: the name of the Avro record.' },
  source: { type: 'string', description: 'The service that made it.' },
  time: { type: 'string', format: 'date-time', description: 'When the commit was made.' },
  subject: { type: 'string', description: 'Stream id; also the key of the record.' },
  correlationId: { type: 'string', description: 'Correlation id of the request that led to it.' },
  causationId: { type: 'string', description: 'Event or command that caused it; absent when a client did.' },
  traceparent: { type: 'string', description: 'W3C trace context of the append; absent without a trace.' },
  commit: {
    type: 'string',
    description:
      'Binary, 44 bytes big-endian: commit id [16], previous commit id [16], base version u32, index u16, size u16, history i32. Without the history (40 bytes) it is not compared.',
  },
};
const optionalHeaders: readonly string[] = [logHeaders.causationId, logHeaders.traceparent];

const recordHeaders = (): Fragment => ({
  type: 'object',
  properties: Object.fromEntries(
    (Object.keys(logHeaders) as (keyof typeof logHeaders)[]).map((name) => [
      logHeaders[name],
      headerDocs[name],
    ]),
  ),
  required: Object.values(logHeaders).filter((name) => !optionalHeaders.includes(name)),
});

interface AvroRecord {
  readonly name: string;
  readonly namespace: string;
  readonly doc?: string;
}

const events = (): readonly AvroRecord[] =>
  Object.values(eventSchemas).flatMap((byType) => Object.values<AvroRecord>(byType));

const eventMessages = (): Fragment =>
  Object.fromEntries(
    events().map((schema) => [
      schema.name,
      {
        name: schema.name,
        summary: schema.doc,
        contentType: 'application/vnd.confluent.avro',
        headers: ref('components', 'schemas', 'RecordHeaders'),
        correlationId: ref('components', 'correlationIds', 'header'),
        bindings: {
          kafka: {
            key: { type: 'string', description: 'Stream id.' },
            schemaIdLocation: 'payload',
            schemaIdPayloadEncoding: 'confluent',
            schemaLookupStrategy: 'RecordNameStrategy',
            bindingVersion: '0.5.0',
          },
        },
        payload: { schemaFormat: 'application/vnd.apache.avro;version=1.9.0', schema },
      },
    ]),
  );

const channels = (): Fragment => ({
  ...Object.fromEntries(
    eventTopics.map((topic) => [
      topic.name,
      {
        address: topic.name,
        servers: [ref('servers', 'kafka')],
        messages: Object.fromEntries(
          Object.keys(topic.schemas).map((type) => [type, ref('components', 'messages', type)]),
        ),
        bindings: { kafka: { topic: topic.name, partitions: topic.partitions, bindingVersion: '0.5.0' } },
      },
    ]),
  ),
  [shippingRequests.queue]: {
    address: shippingRequests.routingKey,
    servers: [ref('servers', 'rabbitmq')],
    messages: {
      [shippingRequests.messageType]: ref('components', 'messages', shippingRequests.messageType),
    },
    bindings: {
      amqp: {
        is: 'routingKey',
        exchange: { name: shippingRequests.exchange, type: 'direct', durable: true, autoDelete: false },
        bindingVersion: '0.3.0',
      },
    },
  },
});

const operation = (
  action: 'send' | 'receive',
  { channel, messages, description }: { channel: string; messages: readonly string[]; description: string },
): Fragment => ({
  action,
  channel: ref('channels', channel),
  summary: description,
  messages: messages.map((message) => ref('channels', channel, 'messages', message)),
});

function operationsOf(wiring: ServiceWiring): Fragment {
  const { service } = wiring;
  const found: Record<string, Fragment> = {};
  for (const topic of eventTopics) {
    const messages = Object.keys(topic.schemas).filter((type) => wiring.produces.includes(type));
    if (messages.length === 0) continue;
    const description = `${service} appends its events.`;
    found[`${service}.append`] = operation('send', { channel: topic.name, messages, description });
  }
  for (const { group, topic, types } of wiring.reactions) {
    const description = `Consumer group ${group} acts on accepted events, each at least once.`;
    found[`${service}.react.${group}`] = operation('receive', {
      channel: topic,
      messages: types,
      description,
    });
  }
  for (const { name, topic } of wiring.projections) {
    const messages = eventTopics
      .filter((one) => one.name === topic)
      .flatMap((one) => Object.keys(one.schemas));
    const description = `${service} folds the read model ${name} from the whole topic.`;
    found[`${service}.project.${name}`] = operation('receive', { channel: topic, messages, description });
  }
  const messages = [shippingRequests.messageType];
  for (const queue of wiring.publishesTo) {
    const description = `${service} publishes with confirms.`;
    found[`${service}.publish.${queue}`] = operation('send', { channel: queue, messages, description });
  }
  for (const queue of wiring.consumesFrom) {
    const description = `${service} works on the queue and acknowledges after the effect is in the log.`;
    found[`${service}.consume.${queue}`] = operation('receive', { channel: queue, messages, description });
  }
  return found;
}

/** `contracts/asyncapi.json`: AsyncAPI 3.0 of every topic and queue, who sends and who receives. */
export const asyncApiDocument = (version: string, wiring: readonly ServiceWiring[]): JsonSchemaObject => ({
  asyncapi: '3.0.0',
  info: {
    title: 'Parley',
    version,
    description:
      'Events on Kafka (Avro in Confluent wire format, arbitrated by their commit header) and work on RabbitMQ (JSON).',
    license: { name: 'Apache-2.0' },
  },
  defaultContentType: 'application/json',
  servers: {
    kafka: { host: 'localhost:9092', protocol: 'kafka', description: 'The event log.' },
    rabbitmq: { host: 'localhost:5672', protocol: 'amqp', description: 'Work queues.' },
  },
  channels: channels(),
  operations: Object.assign({}, ...wiring.map(operationsOf)) as Fragment,
  components: {
    messages: {
      ...eventMessages(),
      [shippingRequests.messageType]: {
        name: shippingRequests.messageType,
        summary: 'A request to ship a paid order. The AMQP message id is requestId.',
        contentType: 'application/json',
        correlationId: { location: '$message.header#/correlationId' },
        payload: jsonSchemaOf(ShippingRequested),
      },
    },
    schemas: { RecordHeaders: recordHeaders() },
    correlationIds: { header: { location: `$message.header#/${logHeaders.correlationId}` } },
  },
});
