/** `npm run replay`: read models, built anew from the log. */
import { parseArgs } from 'node:util';
import { typedPath } from '@parley/cli';
import { addressHelp, opsFrom } from '../addresses.ts';
import { CommandError, exitCodes, type ExitCode } from '../cli/exit.ts';
import type { Context } from '../cli/context.ts';
import { openSource } from '../cli/context.ts';
import { projections, projectionsNamed, type AnyProjection } from '../projections.ts';
import { diffLines } from '../render/diff.ts';
import { escapeText } from '../render/escape.ts';
import { bar, outputOf, type Output } from '../render/output.ts';
import { grouped, table } from '../render/table.ts';
import type { LogSource } from '../source/log-source.ts';
import { byTopic, Rebuild } from './rebuild.ts';
import { parseUntil, positionsFor, untilHelp } from './until.ts';
import { verify, type Verification } from './verify.ts';

export const replayHelp = `usage: npm run replay -- [options]

Rebuilds read models from the log, beside whatever runs, and says what came out.

  --projection NAME   this one; may be repeated. Default: all (${projections.map(({ name }) => name).join(', ')})
  --until WHERE       stops there instead of at the end:
                        ${untilHelp.join('\n                        ')}
  --from-file FILE    reads a file that npm run log -- export has written, instead of Kafka
  --verify            replays to exactly where the running services are and compares the state hashes; on a difference
                      names the streams and fields
  --json              one JSON line, also on a terminal
  --help              this text

Examples:
  npm run replay
  npm run replay -- --projection orders --until 2026-01-31T12:00:00Z
  npm run replay -- --verify
  npx turbo run replay -- --from-file log.ndjson

${addressHelp}
Exit codes: 0 done, 1 a difference or a log that does not reach, 2 wrong usage, 3 no stack or no answer.`;

/** One projection, rebuilt. */
export interface Replayed {
  readonly projection: string;
  readonly topic: string;
  /** Where it stopped, by partition. */
  readonly positions: readonly number[];
  readonly rows: number;
  readonly accepted: number;
  readonly conflicts: number;
  readonly duplicates: number;
  readonly badRecords: number;
  /** Accepted events of a type that this release does not know. */
  readonly skippedTypes: number;
  /** Accepted events that a fold threw on: a bug of this release. */
  readonly failedFolds: number;
  readonly stateHash: string;
  readonly verification?: Verification;
}

interface Report {
  readonly source: string;
  readonly records: number;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly peakMemoryMb: number;
  readonly projections: readonly Replayed[];
}

const parse = (argv: readonly string[]) => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      projection: { type: 'string', multiple: true, default: [] },
      until: { type: 'string' },
      'from-file': { type: 'string' },
      verify: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.verify && values.until !== undefined)
    throw new CommandError('usage', '--verify stops where the service is: it takes no --until');
  return values;
};

const replayed = (name: string, rebuild: Rebuild): Replayed => {
  const { topic, nextOffsets, ...counts } = rebuild.progress();
  const view = rebuild.view(name);
  return {
    projection: name,
    topic,
    positions: nextOffsets,
    rows: view.size,
    ...counts,
    stateHash: view.stateHash(),
  };
};

export async function replayCommand(argv: readonly string[], context: Context): Promise<ExitCode> {
  const values = parse(argv);
  const definitions = projectionsNamed(values.projection);
  const until = values.until === undefined ? undefined : parseUntil(values.until);
  const output = outputOf({ ...context, json: values.json, jsonWithoutTerminal: true });
  const file = values['from-file'] === undefined ? undefined : typedPath(values['from-file'], context.env);
  const services = values.verify ? opsFrom(context.env) : undefined;
  const source = await openSource(context, file);
  try {
    const startedAtMs = performance.now();
    const results =
      services === undefined
        ? await rebuildAll(definitions, { source, output, until, signal: context.signal })
        : await verifyAll(definitions, { source, output, services, signal: context.signal });
    const seconds = (performance.now() - startedAtMs) / 1000;
    const perTopic = new Map(results.map(({ topic, positions }) => [topic, positions]));
    const records = [...perTopic.values()].flat().reduce((sum, offset) => sum + offset, 0);
    const report: Report = {
      source: source.name,
      records,
      seconds: Number(seconds.toFixed(3)),
      eventsPerSecond: Math.round(records / seconds),
      peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
      projections: results,
    };
    if (output.human) print(report, output);
    else output.json(report);
    return results.some(({ verification }) => verification?.equal === false)
      ? exitCodes.failed
      : exitCodes.ok;
  } finally {
    await source.close();
  }
}

const progressOn = (output: Output, label: string): ((done: number, total: number) => void) => {
  const startedAtMs = performance.now();
  return (done, total) => {
    output.progress(bar(label, { done, total, seconds: (performance.now() - startedAtMs) / 1000 }));
  };
};

async function rebuildAll(
  definitions: readonly AnyProjection[],
  options: {
    readonly source: LogSource;
    readonly output: Output;
    readonly until: ReturnType<typeof parseUntil> | undefined;
    readonly signal: AbortSignal;
  },
): Promise<readonly Replayed[]> {
  const { source, output, until, signal } = options;
  const groups = byTopic(definitions);
  const positions = await positionsFor(
    until,
    source,
    groups.map(([topic]) => topic),
    output,
  );
  const results: Replayed[] = [];
  for (const [topic, ofTopic] of groups) {
    const rebuild = new Rebuild(source, topic, ofTopic);
    await rebuild.to(positions.get(topic.name) ?? [], { onProgress: progressOn(output, topic.name), signal });
    output.progress('');
    results.push(...ofTopic.map(({ name }) => replayed(name, rebuild)));
  }
  return results;
}

async function verifyAll(
  definitions: readonly AnyProjection[],
  options: {
    readonly source: LogSource;
    readonly output: Output;
    readonly services: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
  },
): Promise<readonly Replayed[]> {
  const { output, ...rest } = options;
  const results: Replayed[] = [];
  for (const definition of definitions) {
    const onProgress = progressOn(output, definition.name);
    const { verification, rebuild } = await verify(definition, { ...rest, onProgress });
    output.progress('');
    results.push({ ...replayed(definition.name, rebuild), verification });
  }
  return results;
}

function print(report: Report, output: Output): void {
  const verified = report.projections.some(({ verification }) => verification !== undefined);
  output.print(
    table(
      [
        'PROJECTION',
        'ROWS',
        'ACCEPTED',
        'CONFLICTS',
        'DUPLICATES',
        'BAD',
        'SKIPPED',
        'POSITIONS',
        'STATE HASH',
        ...(verified ? ['SERVICE'] : []),
      ],
      report.projections.map((one) => [
        one.projection,
        grouped(one.rows),
        ...[one.accepted, one.conflicts, one.duplicates, one.badRecords, one.skippedTypes].map(grouped),
        one.positions.join(' '),
        one.stateHash.slice(0, 12),
        ...(one.verification === undefined
          ? []
          : [`${one.verification.service}: ${one.verification.equal ? 'the same' : 'DIFFERENT'}`]),
      ]),
    ),
  );
  for (const { projection, verification } of report.projections)
    if (verification?.equal === false) printDifference(projection, verification, output);
  for (const { projection, failedFolds } of report.projections)
    if (failedFolds > 0)
      output.print(
        `${projection}: its fold threw on ${grouped(failedFolds)} events, which are left out: a bug of this release`,
      );
  const { records, seconds, eventsPerSecond, peakMemoryMb, source } = report;
  output.print(
    `${grouped(records)} records from ${source} in ${seconds.toFixed(1)} s: ${grouped(eventsPerSecond)}/s, peak memory ${grouped(peakMemoryMb)} MB`,
  );
}

function printDifference(projection: string, verification: Verification, output: Output): void {
  const { service, serviceHash, replayHash, differing, differences, counts } = verification;
  output.print(`\n${projection}: the log says ${replayHash}, ${service} serves ${serviceHash}`);
  for (const line of diffLines(counts)) output.print(`  ${line}`);
  if (differing > 0) output.print(`${grouped(differing)} rows differ (the log → ${service}):`);
  for (const { key, streamId, fields } of differences) {
    output.print(`  ${escapeText(streamId ?? `row ${key}, which no stream leads to`)}`);
    for (const line of diffLines(fields)) output.print(`    ${line}`);
  }
  if (differing > differences.length) output.print(`  … and ${grouped(differing - differences.length)} more`);
}
