import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { filterRecords, type LogFilter, logsQlOf } from './log-query.ts';
import { type LogRecord, recordOf } from './log-record.ts';

const ANSWER_DEADLINE_MS = 10_000;

const parseRecord = (line: string): LogRecord => JSON.parse(line) as LogRecord; // the engine's own JSON, _time and _msg are in it

const ask = async (url: URL, body: URLSearchParams, signal: AbortSignal): Promise<Response> => {
  const response = await fetch(url, { method: 'POST', body, signal });
  if (!response.ok) throw new Error(`it answered ${String(response.status)}: ${await response.text()}`);
  return response;
};

/** The newest `limit` records of the engine that fit, in the order of their time. Rejects when it does not answer. */
export const queryEngine = async (
  baseUrl: string,
  filter: LogFilter,
  limit: number,
): Promise<readonly LogRecord[]> => {
  // `limit` as a parameter takes the newest; the answer has no order.
  const body = new URLSearchParams({ query: logsQlOf(filter), limit: String(limit) });
  const url = new URL('/select/logsql/query', baseUrl);
  const response = await ask(url, body, AbortSignal.timeout(ANSWER_DEADLINE_MS));
  const records = (await response.text()).split('\n').filter(Boolean).map(parseRecord);
  return records.toSorted((a, b) => Date.parse(a._time) - Date.parse(b._time));
};

/** Records as they come in, until `signal` aborts or the engine ends the answer. */
export async function* followEngine(
  baseUrl: string,
  filter: LogFilter,
  signal: AbortSignal,
): AsyncGenerator<LogRecord> {
  const body = new URLSearchParams({ query: logsQlOf(filter), refresh_interval: '500ms' });
  const response = await ask(new URL('/select/logsql/tail', baseUrl), body, signal);
  let rest = '';
  try {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield parseRecord(line);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
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
