/** Which log lines somebody asks for, in the language of the log engine and for lines of files alike. */
import { attribute, logFields } from '@parley/contracts/telemetry';
import { type Level, levels, type LogRecord } from './log-record.ts';

export interface LogFilter {
  /** Lines of one request and all that followed from it. */
  readonly correlation?: string | undefined;
  /** Lines that name an order, and all of the requests that do. */
  readonly order?: string | undefined;
  readonly service?: string | undefined;
  /** This level and above. */
  readonly level?: Level | undefined;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
}

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
const is = (field: string, value: string): string => `${quoted(field)}:=${quoted(value)}`;
const atLeast = (level: Level): readonly Level[] => levels.slice(levels.indexOf(level));

/** Lines of this time and later, in LogsQL. */
export const sinceQl = (sinceMs: number): string => `_time:>=${quoted(new Date(sinceMs).toISOString())}`;

/** The filter in LogsQL; a value cannot leave its quotes. */
export const logsQlOf = (filter: LogFilter): string => {
  const { correlation, order, service, level, sinceMs } = filter;
  const since = sinceQl(sinceMs);
  const parts = [since];
  if (correlation !== undefined) parts.push(is(logFields.correlationId, correlation));
  if (order !== undefined) {
    const named = is(logFields.orderId, order);
    // The engine narrows the time of queries in a query too, as to the minute that is followed: else only its lines would
    // tell which requests name the order.
    const wholeTime = 'options(ignore_global_time_filter=true)';
    const requests = `${wholeTime} ${since} ${named} | fields ${logFields.correlationId}`;
    parts.push(`(${named} or ${quoted(logFields.correlationId)}:in(${requests}))`);
  }
  if (service !== undefined) parts.push(is(attribute.serviceName, service));
  if (level !== undefined)
    parts.push(`${quoted(logFields.level)}:in(${atLeast(level).map(quoted).join(',')})`);
  return parts.join(' ');
};

const isOneOf = (wanted: string | undefined, value: unknown): boolean =>
  wanted === undefined || wanted === value;

/** The same of records in memory, in the order of their time. */
export const filterRecords = (records: readonly LogRecord[], filter: LogFilter): readonly LogRecord[] => {
  const { correlation, order, service, level, sinceMs } = filter;
  const requests = new Set<unknown>(
    records
      .filter((record) => order !== undefined && record[logFields.orderId] === order)
      .map((record) => record[logFields.correlationId])
      .filter((id) => id !== undefined),
  );
  const shown = new Set<unknown>(level === undefined ? levels : atLeast(level));
  return records
    .filter(
      (record) =>
        Date.parse(record._time) >= sinceMs &&
        isOneOf(correlation, record[logFields.correlationId]) &&
        (order === undefined ||
          record[logFields.orderId] === order ||
          requests.has(record[logFields.correlationId])) &&
        isOneOf(service, record[attribute.serviceName]) &&
        shown.has(record[logFields.level]),
    )
    .toSorted((a, b) => Date.parse(a._time) - Date.parse(b._time));
};
