import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { filterRecords, type LogFilter, logsQlOf, sinceQl } from './log-query.ts';
import { type LogRecord, recordOf } from './log-record.ts';

const ANSWER_DEADLINE_MS = 10_000;

const parseRecord = (line: string): LogRecord => JSON.parse(line) as LogRecord; // the engine's own JSON, _time and _msg are in it

const ask = async (url: URL, body: URLSearchParams, signal: AbortSignal): Promise<Response> => {
  const response = await fetch(url, { method: 'POST', body, signal });
  if (!response.ok) throw new Error(`it answered ${String(response.status)}: ${await response.text()}`);
  return response;
};

interface EngineQuery {
  /** In LogsQL. */
  readonly query: string;
  /** The newest so many. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

/** Records in the order of their time. Rejects when the engine does not answer. */
const recordsOf = async (
  baseUrl: string,
  { query, limit, signal }: EngineQuery,
): Promise<readonly LogRecord[]> => {
  // `limit` as a parameter takes the newest; the answer has no order.
  const body = new URLSearchParams({ query, limit: String(limit) });
  const url = new URL('/select/logsql/query', baseUrl);
  const deadline = AbortSignal.timeout(ANSWER_DEADLINE_MS);
  const response = await ask(
    url,
    body,
    signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
  );
  const records = (await response.text()).split('\n').filter(Boolean).map(parseRecord);
  return records.toSorted((a, b) => Date.parse(a._time) - Date.parse(b._time));
};

/** The newest `limit` records of the engine that fit, in the order of their time. Rejects when it does not answer. */
export const queryEngine = (
  baseUrl: string,
  filter: LogFilter,
  limit: number,
): Promise<readonly LogRecord[]> => recordsOf(baseUrl, { query: logsQlOf(filter), limit });

const FOLLOW_EVERY_MS = 1_000;
/** What somebody who begins to follow sees of the time before. */
const FOLLOW_FROM_MS = 5_000;
/** A line that can be found later than this behind its time is not shown; measured were 2 s, at most 4. */
const LATE_MS_MAX = 60_000;
/** Of lines within that time. */
const FOLLOWED_MAX = 10_000;
/** Questions in a row without an answer. */
const UNANSWERED_MAX = 3;

/** The engine prints the last digits of a fraction now and then: 0.7, and later 0.7000000000000001. */
const rounded = (value: unknown): unknown =>
  typeof value === 'string' && /^-?\d+\.\d+$/.test(value) ? Number(value).toPrecision(12) : value;

/** Fields come in any order. */
const keyOf = (record: LogRecord): string =>
  JSON.stringify(
    Object.entries(record)
      .map(([name, value]) => [name, rounded(value)])
      .toSorted(),
  );

/**
 * Records as they can be found, until `signal` aborts; those of one answer in the order of their time. Rejects when the
 * engine has not answered three times in a row. Its own live tail left out up to 61 of 158 lines that fitted.
 */
export async function* followEngine(
  baseUrl: string,
  filter: LogFilter,
  signal: AbortSignal,
): AsyncGenerator<LogRecord> {
  const fromMs = Date.now() - FOLLOW_FROM_MS;
  /** Until they are too old to be found again: the time of each. */
  const shown = new Map<string, number>();
  let unanswered = 0;
  const isEnded = (): boolean => signal.aborted;
  while (!isEnded()) {
    const sinceMs = Math.max(filter.sinceMs, fromMs, Date.now() - LATE_MS_MAX);
    const query = `${sinceQl(sinceMs)} ${logsQlOf(filter)}`;
    try {
      const records = await recordsOf(baseUrl, { query, limit: FOLLOWED_MAX, signal });
      unanswered = 0;
      for (const [key, atMs] of shown) if (atMs < sinceMs) shown.delete(key);
      for (const record of records) {
        const key = keyOf(record);
        if (!shown.has(key)) yield record;
        shown.set(key, Date.parse(record._time));
      }
    } catch (error) {
      if (isEnded()) return;
      unanswered += 1;
      if (unanswered === UNANSWERED_MAX) throw error;
    }
    await pause(FOLLOW_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Read of the end of each file. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** The last whole lines of a file, of at most so many bytes. */
const lastLines = async (path: string, bytesMax: number): Promise<readonly string[]> => {
  await using handle = await open(path, 'r');
  const { size } = await handle.stat();
  const start = Math.max(0, size - bytesMax);
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(size - start), position: start });
  const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
  return (start === 0 ? lines : lines.slice(1)).filter((line) => line.trim() !== '');
};

/** What the log files themselves hold, of each its last 16 MiB: the fallback while the engine is away. */
export const queryFiles = async (
  logs: string,
  filter: LogFilter,
  { limit, fileBytesMax = FILE_BYTES_MAX }: { readonly limit: number; readonly fileBytesMax?: number },
): Promise<readonly LogRecord[]> => {
  const files = (await readdir(logs).catch(() => [])).filter((name) => name.endsWith('.log'));
  const nowIso = new Date().toISOString();
  const read = async (file: string): Promise<readonly LogRecord[]> =>
    (await lastLines(join(logs, file), fileBytesMax)).map((line) => recordOf(line, file, nowIso));
  const records = (await Promise.all(files.map(read))).flat();
  return filterRecords(records, filter).slice(-limit);
};
