/** Lines of log files as records of the log engine, with the names of contracts/src/telemetry.ts. */
import { attribute, logFields } from '@parley/contracts/telemetry';

/** One log record; `_time`, `_msg` and the name of who wrote it are always there. */
export type LogRecord = Readonly<Record<string, unknown>> & {
  readonly _time: string;
  readonly _msg: string;
};

/** Levels by their severity, the least first. A line whose level is not known is `info`. */
export const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof levels)[number];

const levelWords: readonly (readonly [RegExp, Level])[] = [
  [/\b(FATAL|CRITICAL|EMERGENCY|critical)\b/, 'fatal'],
  [/\b(ERROR|SEVERE)\b|\[(error|err)\]|^✗ /, 'error'], // the last one is the launcher's
  [/\b(WARN|WARNING)\b|\[(warning|warn)\]/, 'warn'],
  [/\bDEBUG\b|\[debug\]/, 'debug'],
  [/\bTRACE\b|\[trace\]/, 'trace'],
];
const levelIn = (text: string): Level =>
  levelWords.find(([words]) => words.test(text.slice(0, 200)))?.[1] ?? 'info';

/** `2026-11-28T18:53:52.148Z`, `2026-11-28 18:54:16.837428+00:00` or Envoy's `[2026-11-28 18:54:16.664]`, at the start. */
const timePattern = /^\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:Z|\+00:00)?/;
const timeIn = (text: string): string | undefined => {
  const [, day, time] = timePattern.exec(text) ?? [];
  return day === undefined || time === undefined ? undefined : `${day}T${time}Z`;
};

const names: Readonly<Record<string, string>> = logFields;
/** Of a gRPC call, `status` is a gRPC status. */
const nameOf = (key: string, line: object): string =>
  key === 'status' && 'rpc' in line ? attribute.rpcStatusCode : (names[key] ?? key);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const parsed = (text: string): Readonly<Record<string, unknown>> | undefined => {
  if (!text.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // an engine's own text
  }
};

/** Files whose name is not that of an instance or an engine. */
const writers: Readonly<Record<string, string>> = { 'gateway-access': 'gateway' };

/** The name in a file's name: `order-1.log` is instance order-1 of service order, `kafka.log` is kafka. */
const writerOf = (file: string): { readonly service: string; readonly instance: string } => {
  const name = file.replace(/\.log$/, '');
  const instance = writers[name] ?? name;
  return { service: instance.replace(/-\d+$/, ''), instance };
};

/** Characters of a line that are kept; the engine drops a line that is much longer. */
const LINE_CHARS_MAX = 32_768;

/**
 * The record of one line. A JSON line keeps its fields, by their names in the contract; any other line is its text.
 * `nowIso` is the time of a line that says none.
 */
export const recordOf = (line: string, file: string, nowIso: string): LogRecord => {
  const text = line.slice(0, LINE_CHARS_MAX);
  const { service, instance } = writerOf(file);
  const writer = { [attribute.serviceName]: service, [attribute.serviceInstanceId]: instance };
  const json = line.length > LINE_CHARS_MAX ? undefined : parsed(text);
  if (json === undefined)
    return { ...writer, [logFields.level]: levelIn(text), _time: timeIn(text) ?? nowIso, _msg: text };
  const record: Record<string, unknown> = { ...writer, [logFields.level]: 'info' };
  for (const [key, value] of Object.entries(json)) if (value !== null) record[nameOf(key, json)] = value;
  const { _time: time, _msg: message } = record;
  return {
    ...record,
    _time: typeof time === 'string' ? time : nowIso,
    // The gateway's lines have no message of their own.
    _msg: typeof message === 'string' ? message : service === 'gateway' ? 'request' : text,
  };
};
