import { describe, expect, it } from 'vitest';
import { recordOf } from './log-record.ts';

const now = '2026-11-28T00:00:00.000Z';

describe('the record of a log line', () => {
  it('of a service has the names of the contract, and keeps what the contract does not name', () => {
    const line = JSON.stringify({
      level: 'warn',
      time: '2026-11-28T18:54:16.119Z',
      service: 'order',
      instance: 'order-2',
      correlationId: 'c-1',
      traceId: 't',
      spanId: 's',
      route: '/api/v1/orders',
      status: 503,
      clean: true,
      msg: 'request',
    });
    expect(recordOf(line, 'order-2.log', now)).toEqual({
      _time: '2026-11-28T18:54:16.119Z',
      _msg: 'request',
      severity_text: 'warn',
      'service.name': 'order',
      'service.instance.id': 'order-2',
      correlation_id: 'c-1',
      trace_id: 't',
      span_id: 's',
      'http.route': '/api/v1/orders',
      'http.response.status_code': 503,
      clean: true,
    });
  });

  it('of a gRPC call says its status as one of gRPC', () => {
    const record = recordOf('{"rpc":"/a.B/C","status":0,"msg":"call"}', 'product-1.log', now);
    expect(record).toMatchObject({ 'rpc.method': '/a.B/C', 'rpc.grpc.status_code': 0 });
  });

  it('of the gateway has its correlation id, and no field that is null', () => {
    const line = '{"time":"2026-11-28T18:54:14.939Z","service":"gateway","correlationId":"c","spanId":null}';
    expect(recordOf(line, 'gateway-access.log', now)).toEqual({
      _time: '2026-11-28T18:54:14.939Z',
      _msg: 'request',
      severity_text: 'info',
      'service.name': 'gateway',
      'service.instance.id': 'gateway',
      correlation_id: 'c',
    });
  });

  it.each([
    ['kafka.log', '[thread] WARN org.apache.kafka - it ends', 'kafka', 'warn', now],
    ['envoy.log', '[2026-11-28 18:54:16.664][1][info][main] x', 'envoy', 'info', '2026-11-28T18:54:16.664Z'],
    [
      'rabbitmq.log',
      '2026-11-28 18:54:16.837428+00:00 [error] <0.4> x',
      'rabbitmq',
      'error',
      '2026-11-28T18:54:16.837428Z',
    ],
    ['launcher.log', '✗ order-1 ended with code 1', 'launcher', 'error', now],
    ['launcher.log', '{ not JSON', 'launcher', 'info', now],
  ])('of %s is its text, with level and time where it says them', (file, line, service, level, time) => {
    expect(recordOf(line, file, now)).toMatchObject({
      'service.name': service,
      severity_text: level,
      _msg: line,
      _time: time,
    });
  });

  it('is bounded, whatever the line is', () => {
    expect(recordOf(`{"msg":"${'x'.repeat(100_000)}"}`, 'order-1.log', now)._msg.length).toBeLessThan(40_000);
  });
});
