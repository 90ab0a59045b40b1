import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inCausalOrder, type Happening } from './causal-order.ts';
import { hopsOf } from './hops.ts';
import { parseTraceparent, Span } from './zipkin.ts';

describe('causal order', () => {
  it('puts a cause before its effect even when a clock says otherwise, and else the earlier first', () => {
    const at = (id: string, atMs: number, ...causes: string[]): Happening => ({ id, atMs, causes });
    const ordered = inCausalOrder([
      at('effect', 5, 'cause'),
      at('cause', 9),
      at('other', 7),
      at('late', 8, 'effect'),
    ]);
    expect(ordered.map(({ id }) => id)).toEqual(['other', 'cause', 'effect', 'late']);
  });

  it('holds for any graph without circles; nothing is lost or doubled, also in one with circles', () => {
    const graph = fc.array(fc.record({ atMs: fc.nat(20), causes: fc.array(fc.nat(30), { maxLength: 3 }) }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(graph, fc.boolean(), (parts, circles) => {
        const happenings = parts.map(({ atMs, causes }, index) => ({
          id: String(index),
          atMs,
          causes: causes.filter((cause) => circles || cause < index).map(String),
        }));
        const ordered = inCausalOrder(happenings);
        expect(ordered.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual([...parts.keys()]);
        if (circles) return;
        const place = new Map(ordered.map(({ id }, index) => [id, index]));
        for (const { id, causes } of ordered)
          for (const cause of causes) expect(place.get(cause)).toBeLessThan(place.get(id) ?? -1);
      }),
    );
  });
});

const span = (fields: Partial<Span> & Pick<Span, 'id' | 'kind'>, service: string): Span =>
  Span.parse({
    traceId: 't',
    timestamp: 1000,
    duration: 500,
    localEndpoint: { serviceName: service },
    ...fields,
  });

describe('hops', () => {
  it('a call is told once, by who answered, from the begin to the end of the caller', () => {
    const hops = hopsOf([
      span({ id: 'c', kind: 'CLIENT', parentId: 'p', timestamp: 900, duration: 700 }, 'order'),
      span(
        {
          id: 's',
          kind: 'SERVER',
          parentId: 'c',
          tags: { 'rpc.system': 'grpc', 'rpc.method': 'ReserveStock' },
        },
        'product',
      ),
    ]);
    expect(hops).toMatchObject([
      {
        id: 't/s',
        protocol: 'gRPC',
        from: 'order',
        to: 'product',
        what: 'ReserveStock',
        atMs: 0.9,
        tookMs: 0.7,
        causes: ['t/p'],
      },
    ]);
  });

  it('a call that nobody answered is told by who made it', () => {
    const tags = { 'peer.service': 'payment', error: 'timeout' };
    expect(hopsOf([span({ id: 'c', kind: 'CLIENT', tags }, 'order')])).toMatchObject([
      { from: 'order', to: 'payment', failed: true },
    ]);
  });

  it('an append is no hop, as its event is told; what a consumer handles names the event', () => {
    const destination = { 'messaging.system': 'kafka', 'messaging.destination.name': 'topic' };
    const at = {
      'messaging.kafka.partition': '2',
      'messaging.kafka.offset': '7',
      'parley.event.type': 'Paid',
    };
    const hops = hopsOf([
      span({ id: 'p', kind: 'PRODUCER', tags: destination }, 'payment'),
      span({ id: 'c', kind: 'CONSUMER', parentId: 'p', tags: { ...destination, ...at } }, 'notification'),
      span(
        { id: 'r', kind: 'PRODUCER', tags: { ...destination, 'messaging.system': 'rabbitmq' } },
        'notification',
      ),
    ]);
    expect(hops).toMatchObject([
      {
        id: 't/c',
        protocol: 'Kafka',
        from: 'topic',
        to: 'notification',
        what: 'Paid',
        position: 'topic/2@7',
      },
      { id: 't/r', protocol: 'RabbitMQ', from: 'notification', to: 'topic' },
    ]);
  });
});

describe('a traceparent', () => {
  it('is read when it is one of W3C, and nothing else is', () => {
    const traceId = 'a'.repeat(32);
    expect(parseTraceparent(`00-${traceId}-${'b'.repeat(16)}-01`)).toEqual({
      traceId,
      spanId: 'b'.repeat(16),
    });
    for (const text of [undefined, '', traceId, `00-${traceId}-b-01`])
      expect(parseTraceparent(text)).toBeUndefined();
  });
});
