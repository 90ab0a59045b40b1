/** `npm run log`: look at the log, take it along, bring it back. */
import { parseArgs } from 'node:util';
import { typedPath } from '@parley/cli';
import { addressHelp, logAddressesFrom, tracesFrom } from '../addresses.ts';
import { clientLogger, openSource, type Context } from '../cli/context.ts';
import { CommandError, exitCodes, type ExitCode } from '../cli/exit.ts';
import { topicNamed, topicOfStream } from '../projections.ts';
import { outputOf, type Output } from '../render/output.ts';
import { grouped, table } from '../render/table.ts';
import { parseTime } from '../replay/until.ts';
import type { LogSource } from '../source/log-source.ts';
import { exportLog } from './export.ts';
import { importLog } from './import.ts';
import { list, LIST_MAX } from './list.ts';
import { orderStory, printStory } from './order.ts';
import { printShown, show } from './show.ts';
import { printState, stateAt } from './state.ts';

export const logHelp = `usage: npm run log -- <command> [options]

  list <topic>           the records of a topic, oldest first: positions, types, versions, verdicts
      --type T           this event type             --stream S         this stream, e.g. order-<order id>
      --correlation ID   this correlation id         --since, --until T recorded within, ISO 8601 with a zone
      --limit N          the newest N that match, 1 to ${String(LIST_MAX)} (default 50)
      --follow           goes on with what comes, until Ctrl-C
  show <event id>        every copy of one event: metadata, schema, payload, and why it was accepted or not
  order <order id>       every event, call and message of one order in causal order, with the times between
  state <stream>         the read model's rows of a stream, and what its last event changed
      --at VERSION       as of this version (default: the newest)
  export [topic…]        writes a portable file of these topics (default: every event topic)
      --out FILE         where to             --overwrite   also when it exists
                         (paths are relative to the folder in which the command is typed)
  import FILE            makes a log of a file again, in an empty Kafka, and verifies it

  --from-file FILE       list, show, order, state: reads an exported file instead of Kafka
  --json                 JSON instead of text: one line a record (list), else one document
  --help                 this text

A topic is called parley.order.events or just order.

Examples:
  npm run log -- list order --type OrderPaid --limit 10
  npm run log -- list payment --follow --json
  npm run log -- order 6a3f1d52-0c5e-5f0e-9c55-0b6f1d2a7e11
  npm run log -- state order-6a3f1d52-0c5e-5f0e-9c55-0b6f1d2a7e11 --at 2
  npm run log -- export --out log.ndjson

${addressHelp}
Exit codes: 0 done, 1 not found, damaged or different, 2 wrong usage, 3 no stack or no answer.`;

const options = {
  type: { type: 'string' },
  stream: { type: 'string' },
  correlation: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  limit: { type: 'string' },
  follow: { type: 'boolean' },
  at: { type: 'string' },
  out: { type: 'string' },
  overwrite: { type: 'boolean' },
  'from-file': { type: 'string' },
  json: { type: 'boolean' },
} as const;

type OptionName = keyof typeof options;
type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];

interface Invocation extends Context {
  readonly values: Values;
  readonly operands: readonly string[];
  readonly output: Output;
}

interface Subcommand {
  readonly takes: readonly OptionName[];
  readonly run: (invocation: Invocation) => Promise<ExitCode>;
}

const usage = (message: string): never => {
  throw new CommandError('usage', `${message}. See npm run log -- --help`);
};

const onlyOperand = ({ operands }: Invocation, what: string): string => {
  const [operand] = operands;
  return operand === undefined || operands.length > 1 ? usage(`name one ${what}`) : operand;
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const uuidOperand = (invocation: Invocation, what: string): string => {
  const id = onlyOperand(invocation, what);
  return UUID.test(id) ? id.toLowerCase() : usage(`${JSON.stringify(id)} is no ${what}, which is a UUID`);
};

const wholeNumber = (text: string | undefined, name: string, max: number): number | undefined => {
  if (text === undefined) return undefined;
  const value = Number(text);
  return /^\d+$/.test(text) && value >= 1 && value <= max
    ? value
    : usage(`--${name} must be a whole number from 1 to ${String(max)}`);
};

const time = (text: string | undefined, name: string): number | undefined =>
  text === undefined
    ? undefined
    : (parseTime(text) ?? usage(`--${name} must be a time with seconds and zone, as 2026-01-31T12:00:00Z`));

/** Opens the log of the invocation, and closes it again whatever happens. */
async function reading(
  invocation: Invocation,
  use: (source: LogSource) => Promise<ExitCode>,
): Promise<ExitCode> {
  const file = invocation.values['from-file'];
  const source = await openSource(
    invocation,
    file === undefined ? undefined : typedPath(file, invocation.env),
  );
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

const say = <T>({ output }: Invocation, value: T, print: (value: T, output: Output) => void): ExitCode => {
  if (output.human) print(value, output);
  else output.json(value);
  return exitCodes.ok;
};

const subcommands: Readonly<Record<string, Subcommand>> = {
  list: {
    takes: ['type', 'stream', 'correlation', 'since', 'until', 'limit', 'follow', 'from-file'],
    run: (invocation) => {
      const { values } = invocation;
      const topic = topicNamed(onlyOperand(invocation, 'topic'));
      const filter = {
        type: values.type,
        stream: values.stream?.toLowerCase(), // as every edge writes ids
        correlation: values.correlation,
        sinceMs: time(values.since, 'since'),
        untilMs: time(values.until, 'until'),
      };
      const limit = wholeNumber(values.limit, 'limit', LIST_MAX) ?? 50;
      const follow = values.follow === true;
      if (follow && values['from-file'] !== undefined)
        return usage('a file does not grow: no --follow with it');
      return reading(invocation, async (source) => {
        await list(source, topic, { filter, limit, follow }, invocation);
        return exitCodes.ok;
      });
    },
  },
  show: {
    takes: ['from-file'],
    run: (invocation) => {
      const eventId = uuidOperand(invocation, 'event id');
      return reading(invocation, async (source) =>
        say(invocation, await show(source, eventId, invocation), printShown),
      );
    },
  },
  order: {
    takes: ['from-file'],
    run: (invocation) => {
      const orderId = uuidOperand(invocation, 'order id');
      const tracesApi = tracesFrom(invocation.env);
      return reading(invocation, async (source) =>
        say(invocation, await orderStory(source, orderId, { ...invocation, tracesApi }), printStory),
      );
    },
  },
  state: {
    takes: ['at', 'from-file'],
    run: (invocation) => {
      const stream = onlyOperand(invocation, 'stream').toLowerCase();
      const at = wholeNumber(invocation.values.at, 'at', 2 ** 32);
      topicOfStream(stream); // refused before anything is connected
      return reading(invocation, async (source) =>
        say(invocation, await stateAt(source, stream, at, invocation), printState),
      );
    },
  },
  export: {
    takes: ['out', 'overwrite'],
    run: (invocation) => {
      const { values, operands } = invocation;
      const { out, overwrite = false } = values;
      if (out === undefined) return usage('export needs --out FILE');
      return reading(invocation, async (source) => {
        const path = typedPath(out, invocation.env);
        const exporting = { topics: operands, out: path, overwrite, now: Date.now };
        const { records, counts, sha256 } = await exportLog(source, exporting, invocation);
        return say(invocation, { out: path, records, counts, sha256 }, (report, output) => {
          output.print(
            table(
              ['TOPIC', 'RECORDS', 'BY PARTITION'],
              Object.entries(counts).map(([topic, of]) => [
                topic,
                grouped(of.reduce((sum, count) => sum + count, 0)),
                of.join(' '),
              ]),
            ),
          );
          output.print(`${grouped(report.records)} records in ${path}, sha256 ${sha256}`);
        });
      });
    },
  },
  import: {
    takes: [],
    run: async (invocation) => {
      const file = typedPath(onlyOperand(invocation, 'file'), invocation.env);
      const target = { ...logAddressesFrom(invocation.env), logger: clientLogger };
      const report = await importLog(file, target, invocation);
      say(invocation, report, (imported, output) => {
        output.print(
          table(
            ['PROJECTION', 'OF THE FILE', 'OF THE LOG', ''],
            imported.projections.map(({ projection, fileHash, logHash }) => [
              projection,
              fileHash.slice(0, 12),
              logHash.slice(0, 12),
              fileHash === logHash ? 'identical' : 'DIFFERENT',
            ]),
          ),
        );
        const renumbered = Object.keys(imported.renumberedSchemas).length;
        output.print(
          `${grouped(imported.records)} records imported; ${String(renumbered)} schemas have another id here, ${grouped(imported.rewrittenValues)} values were rewritten`,
        );
      });
      return report.identical ? exitCodes.ok : exitCodes.failed;
    },
  },
};

export async function logCommand(argv: readonly string[], context: Context): Promise<ExitCode> {
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  const [name, ...operands] = positionals;
  const subcommand = name !== undefined && Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
  if (name === undefined || subcommand === undefined)
    return usage(name === undefined ? 'no command was given' : `there is no command ${JSON.stringify(name)}`);
  for (const option of Object.keys(values) as OptionName[])
    if (option !== 'json' && !subcommand.takes.includes(option)) usage(`${name} takes no --${option}`);
  const output = outputOf({ ...context, json: values.json === true });
  return subcommand.run({ ...context, values, operands, output });
}
