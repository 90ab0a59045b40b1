import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { typedPath } from '@parley/cli';
import type { ServiceName } from '@parley/contracts/endpoints';
import type { DeadLetterDetail, DeadLetterResult, DeadLettersOrderLine } from '@parley/contracts/rest';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes, messageOf, type ExitCode } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { help, parseDlq, type DlqArguments } from '../dlq/arguments.ts';
import { LetterClient, type FoundLetter, type OrderAction } from '../dlq/client.ts';
import { editLetter } from '../dlq/edit.ts';
import { lettersTable, letterText } from '../dlq/show.ts';
import { contextFrom } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const printJson = (value: unknown): void => {
  print(JSON.stringify(value));
};

/** What was found of what was asked for: one letter where there is an id. */
interface Asked {
  readonly args: DlqArguments;
  readonly client: LetterClient;
  readonly letters: readonly FoundLetter[];
}

/** In the order of their oldest letters. */
const servicesOf = (letters: readonly FoundLetter[]): readonly ServiceName[] => [
  ...new Set(letters.map(({ service }) => service)),
];

const list = ({ args, letters }: Asked): ExitCode => {
  if (args.values.json === true) printJson({ letters });
  else if (letters.length === 0) print('no dead letters');
  else print(lettersTable(letters, Date.now()));
  return exitCodes.ok;
};

const shown = async ({ client }: Asked, letter: FoundLetter): Promise<DeadLetterDetail> => {
  const detail = await client.show(letter);
  if (detail === undefined) throw new CommandError(exitCodes.failed, `${letter.id} is settled`);
  return detail;
};

async function* exported({ args, client, letters }: Asked): AsyncGenerator<object> {
  if (args.id !== undefined) {
    for (const letter of letters) {
      const detail = await client.show(letter);
      if (detail !== undefined) yield { service: letter.service, ...detail };
    }
    return;
  }
  let { max } = args;
  for (const service of servicesOf(letters)) {
    if (max === 0) return;
    for await (const detail of client.export(service, { ...args.filter, max })) {
      max -= 1;
      yield { service, ...detail };
    }
  }
}

const exportTo = async (asked: Asked): Promise<ExitCode> => {
  const { max, values } = asked.args;
  const { out = '-' } = values;
  const output = outputTo(process.stderr);
  let written = 0;
  const lines = async function* () {
    for await (const letter of exported(asked)) {
      written += 1;
      yield `${JSON.stringify(letter)}\n`;
    }
  };
  const left = Math.max(0, asked.letters.length - max);
  if (out === '-') await pipeline(lines, process.stdout, { end: false });
  else {
    const path = typedPath(out);
    // An earlier export stays until this one is whole, as nothing in a cut one says that it is.
    const partial = `${path}.partial`;
    try {
      await pipeline(lines, createWriteStream(partial, { mode: 0o600 }));
      await rename(partial, path);
    } finally {
      await rm(partial, { force: true });
    }
    if (values.json === true) printJson({ exported: written, left });
    else output.good(`${String(written)} letters in ${out}`);
  }
  if (left > 0) output.dim(`${String(left)} more wait beyond --max`);
  return exitCodes.ok;
};

/** What becomes of each as it does: of one letter, or of the services' one after the other. */
async function* ordered(asked: Asked, action: OrderAction): AsyncGenerator<DeadLettersOrderLine> {
  const { args, client, letters } = asked;
  const { filter, ratePerSecond, values } = args;
  const why = values.why ?? `npm run dlq -- ${action}`;
  const dryRun = values['dry-run'] === true;
  if (args.id !== undefined) {
    for (const letter of letters) {
      if (dryRun) yield { id: letter.id, result: `would ${action}` };
      else if (values.edit !== true) yield await client.order(action, letter, { why });
      else {
        const edited = await editLetter(await shown(asked, letter), process.env);
        yield await client.order(action, letter, { why, edited });
      }
    }
    return;
  }
  let { max } = args;
  for (const service of servicesOf(letters)) {
    const isComplete = max === 0; // the rest only says how many it has
    try {
      for await (const line of client.orderMany(action, service, {
        why,
        filter,
        max,
        ratePerSecond,
        dryRun,
      })) {
        if ('id' in line) max -= 1;
        yield line;
      }
    } catch (error) {
      if (!isComplete || !(error instanceof CommandError)) throw error;
      outputTo(process.stderr).dim(`how many are left at ${service} is not known: ${error.message}`);
    }
  }
}

const participle = { redrive: 'redriven', discard: 'discarded' } as const;

/** Ended in the middle, what was ordered stays so, and the rest waits as before. */
const order = async (asked: Asked, action: OrderAction): Promise<ExitCode> => {
  const isJson = asked.args.values.json === true;
  const output = outputTo(process.stderr);
  const results: DeadLetterResult[] = [];
  let left = 0;
  try {
    for await (const line of ordered(asked, action)) {
      if ('left' in line) {
        left += line.left;
        continue;
      }
      const { id, result, why } = line;
      results.push(line);
      if (!isJson) output.line(`${id}  ${result}${why === undefined ? '' : `: ${why}`}`);
    }
  } catch (error) {
    if (isJson) printJson({ results, failed: messageOf(error) });
    throw error;
  }
  if (isJson) printJson({ results, left });
  else if (results.length + left === 0) output.dim(`no dead letter waits to be ${participle[action]}`);
  else if (left > 0) output.dim(`${String(left)} more wait: --max ${String(results.length + left)}`);
  return results.some(({ result }) => result === 'refused') ? exitCodes.failed : exitCodes.ok;
};

/** Why no letter was found that has this id: when it is settled already, whatever is ordered of it again has no effect. */
const notFound = async ({ args, client }: Asked, wanted: string): Promise<ExitCode> => {
  const found = (await client.list()).find(({ id }) => id === wanted);
  if (found === undefined)
    throw new CommandError(exitCodes.failed, `no dead letter ${wanted}: npm run dlq -- list`);
  const { state, note = '' } = found;
  if (state === 'open' || state === 'requested')
    throw new CommandError(exitCodes.failed, `the filters leave out ${wanted}, which is ${state}`);
  const why = `is ${state} already: ${note}`;
  const isOrder = args.action === 'redrive' || args.action === 'discard';
  if (isOrder && args.values.json === true)
    printJson({ results: [{ id: wanted, result: 'gone', why: `it ${why}` }], left: 0 });
  else outputTo(process.stderr).line(`${wanted} ${why}`);
  return exitCodes.ok;
};

/** `npm run dlq`: the dead letters of both brokers. */
export const dlqCommand: Command = {
  name: 'dlq',
  summary: 'lists, shows, redrives and discards the dead letters of both brokers',
  help: [],
  options: {},
  takesArgumentsAsTheyAre: true,
  run: async (_values, argv) => {
    const args = parseDlq(argv);
    if (args === undefined) {
      print(help);
      return exitCodes.ok;
    }
    const endpoints = await readEndpoints(contextFrom(process.env).runDir);
    const client = new LetterClient(endpoints);
    const { service, settled = false, json } = args.values;
    const found = await client.list({ ...args.filter, service, settled: settled ? 'true' : 'false' });
    const letters = args.id === undefined ? found : found.filter(({ id }) => id === args.id);
    const asked: Asked = { args, client, letters };
    const [letter] = letters;
    if (args.id !== undefined && letter === undefined) return notFound(asked, args.id);
    switch (args.action) {
      case 'list':
        return list(asked);
      case 'show': {
        if (letter === undefined) return exitCodes.failed; // it needs an id
        const detail = await shown(asked, letter);
        if (json === true) printJson(detail);
        else print(letterText(detail, endpoints.traces.ui));
        return exitCodes.ok;
      }
      case 'export':
        return exportTo(asked);
      case 'redrive':
      case 'discard':
        return order(asked, args.action);
    }
  },
};
