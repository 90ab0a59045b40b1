import { describe, expect, it } from 'vitest';
import { filterRecords, logsQlOf } from './log-query.ts';
import { recordOf } from './log-record.ts';

const sinceMs = Date.parse('2026-11-28T00:00:00.000Z');

describe('a query for log lines', () => {
  it('in LogsQL matches whole values, and what is typed cannot leave its quotes', () => {
    expect(logsQlOf({ correlation: 'c-1', service: 'order', level: 'warn', sinceMs })).toBe(
      '_time:>="2026-11-28T00:00:00.000Z" "correlation_id":="c-1" "service.name":="order" "severity_text":in("warn","error","fatal")',
    );
    expect(logsQlOf({ service: String.raw`a" or "\*`, sinceMs })).toContain(String.raw`:="a\" or \"\\*"`);
  });

  it('of an order looks for its requests in all the time that is asked for, whichever moment is followed', () => {
    expect(logsQlOf({ order: 'o-1', sinceMs })).toBe(
      '_time:>="2026-11-28T00:00:00.000Z" ("order_id":="o-1" or "correlation_id":in(' +
        'options(ignore_global_time_filter=true) _time:>="2026-11-28T00:00:00.000Z" "order_id":="o-1" | fields correlation_id))',
    );
  });

  it('over records gives those of an order and of every request that names it, by time', () => {
    const line = (fields: object): string => JSON.stringify({ service: 'order', msg: 'm', ...fields });
    const records = [
      line({ time: '2026-11-28T00:00:03.000Z', correlationId: 'c-1', n: 3 }),
      line({ time: '2026-11-28T00:00:02.000Z', correlationId: 'c-1', orderId: 'o-1', n: 2 }),
      line({ time: '2026-11-28T00:00:02.500Z', correlationId: 'c-2', n: 9 }),
      line({ time: '2026-11-27T23:59:59.000Z', correlationId: 'c-1', n: 0 }),
      line({ time: '2026-11-28T00:00:01.000Z', orderId: 'o-1', n: 1 }),
    ].map((text) => recordOf(text, 'order-1.log', ''));
    expect(filterRecords(records, { order: 'o-1', sinceMs }).map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(filterRecords(records, { service: 'payment', sinceMs })).toEqual([]);
    expect(filterRecords(records, { level: 'warn', sinceMs })).toEqual([]);
  });
});
