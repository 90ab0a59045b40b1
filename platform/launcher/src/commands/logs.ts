import { printable } from '@parley/cli';
import { attribute, logFields } from '@parley/contracts/telemetry';
import { stringOption, type Command, type OptionValues } from '../cli/command.ts';
import { CommandError, exitCodes, messageOf, type ExitCode } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import type { LogFilter } from '../logs/log-query.ts';
import { type Level, levels, type LogRecord } from '../logs/log-record.ts';
import { followEngine, queryEngine, queryFiles } from '../logs/log-source.ts';
import { contextFrom, runFiles } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';
import { abortOnSignals } from './signals.ts';

const LIMIT_MAX = 10_000;
const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const usage = (message: string): CommandError => new CommandError(exitCodes.usage, message);

/** `15m` before now, or an ISO time. */
const sinceMsOf = (text: string, nowMs: number): number => {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * (unitMs[unit] ?? 0);
  const at = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw usage('--since must be like 30s, 15m, 2h, 7d or an ISO time');
  return at;
};

const levelOf = (text: string | undefined): Level | undefined => {
  const level = levels.find((known) => known === text);
  if (text !== undefined && level === undefined) throw usage(`--level must be one of ${levels.join(', ')}`);
  return level;
};

const limitOf = (text: string): number => {
  if (!/^\d{1,6}$/.test(text) || Number(text) < 1 || Number(text) > LIMIT_MAX)
    throw usage(`--limit must be 1 to ${String(LIMIT_MAX)}`);
  return Number(text);
};

const filterOf = (values: OptionValues): LogFilter => ({
  correlation: stringOption(values, 'correlation'),
  order: stringOption(values, 'order')?.toLowerCase(),
  service: stringOption(values, 'service'),
  level: levelOf(stringOption(values, 'level')),
  sinceMs: sinceMsOf(stringOption(values, 'since') ?? '1h', Date.now()),
});

/** Said in their own columns, or nothing to a person. */
const hidden = new Set<string>([
  '_time',
  '_msg',
  '_stream',
  '_stream_id',
  logFields.level,
  attribute.serviceName,
  attribute.serviceInstanceId,
  logFields.traceId,
  logFields.spanId,
]);

const fieldText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const textOf = (record: LogRecord): string => {
  const fields = Object.entries(record)
    .filter(([name]) => !hidden.has(name))
    .map(([name, value]) => `${name}=${fieldText(value)}`);
  const level = fieldText(record[logFields.level] ?? '');
  const instance = fieldText(record[attribute.serviceInstanceId] ?? record[attribute.serviceName] ?? '');
  return printable(
    [record._time, level.padEnd(5), instance.padEnd(14), record._msg, ...fields].join('  '),
    '    ',
  );
};

const print = (record: LogRecord, asJson: boolean): void => {
  process.stdout.write(`${asJson ? JSON.stringify(record) : textOf(record)}\n`);
};

interface Asked {
  readonly filter: LogFilter;
  readonly limit: number;
  /** Undefined: the stack has no log engine, or there is no stack. */
  readonly url: string | undefined;
  readonly logs: string;
}

/** From the engine, or from the files with a word on stderr that they are what is shown. */
const recordsOf = async ({ filter, limit, url, logs }: Asked): Promise<readonly LogRecord[]> => {
  if (url !== undefined)
    try {
      return await queryEngine(url, filter, limit);
    } catch (error) {
      outputTo(process.stderr).bad(`the log engine does not answer: ${messageOf(error)}`);
    }
  outputTo(process.stderr).dim(`read from the files in ${logs}`);
  return queryFiles(logs, filter, { limit });
};

const follow = async (asked: Asked, asJson: boolean): Promise<ExitCode> => {
  const { url, filter } = asked;
  if (url === undefined)
    throw new CommandError(
      exitCodes.environment,
      `--follow needs a running stack with its log engine: npm run up. The files are in ${asked.logs}`,
    );
  try {
    for await (const record of followEngine(url, filter, abortOnSignals())) print(record, asJson);
  } catch (error) {
    throw new CommandError(
      exitCodes.environment,
      `the log engine does not answer: ${messageOf(error)}. The files are in ${asked.logs}`,
    );
  }
  return exitCodes.ok;
};

/** `npm run logs`: lines of all services, the gateway, the launcher and the engines. */
export const logsCommand: Command = {
  name: 'logs',
  summary: 'shows log lines of every service, the gateway, the launcher and the engines',
  help: [
    '--correlation <id>  of one request and all that followed from it',
    '--order <id>        of one order',
    '--service <name>    of order, product, …, gateway, launcher, kafka, …',
    `--level <level>     this level and above: ${levels.join(', ')}`,
    '--since <time>      30s, 15m, 2h, 7d or an ISO time (1h)',
    '--limit <n>         the newest n lines (1000)',
    '--follow            goes on with lines as they come, until Ctrl-C',
    '--json              one JSON object a line',
  ],
  options: {
    correlation: { type: 'string' },
    order: { type: 'string' },
    service: { type: 'string' },
    level: { type: 'string' },
    since: { type: 'string' },
    limit: { type: 'string' },
    follow: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  run: async (values) => {
    const { runDir } = contextFrom(process.env);
    const endpoints = await readEndpoints(runDir).catch(() => undefined);
    const asked: Asked = {
      filter: filterOf(values),
      limit: limitOf(stringOption(values, 'limit') ?? '1000'),
      url: endpoints?.logs?.url,
      logs: runFiles(runDir).logs,
    };
    const asJson = values.json === true;
    if (values.follow === true) return follow(asked, asJson);
    const records = await recordsOf(asked);
    for (const record of records) print(record, asJson);
    if (records.length === 0) outputTo(process.stderr).dim('no line fits; --since reaches further back');
    return exitCodes.ok;
  },
};
