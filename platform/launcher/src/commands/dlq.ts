import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { typedPath } from '@parley/cli';
import type { Endpoints } from '@parley/contracts/endpoints';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes, type ExitCode } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { help, isWanted, parseDlq, type DlqArguments } from '../dlq/arguments.ts';
import { LetterClient, type FoundLetter } from '../dlq/client.ts';
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

const list = (args: DlqArguments, letters: readonly FoundLetter[]): ExitCode => {
  if (args.values.json === true) printJson({ letters });
  else if (letters.length === 0) print('no dead letters');
  else print(lettersTable(letters, Date.now()));
  return exitCodes.ok;
};

const show = async (
  args: DlqArguments,
  { client, endpoints, letter }: { client: LetterClient; endpoints: Endpoints; letter: FoundLetter },
): Promise<ExitCode> => {
  const detail = await client.show(letter);
  if (detail === undefined) throw new CommandError(exitCodes.failed, `${letter.id} is settled`);
  if (args.values.json === true) printJson(detail);
  else print(letterText(detail, endpoints.traces.ui));
  return exitCodes.ok;
};

const exportTo = async (
  args: DlqArguments,
  { client, letters }: { client: LetterClient; letters: readonly FoundLetter[] },
): Promise<ExitCode> => {
  const lines: string[] = [];
  for (const letter of letters.slice(0, args.max)) {
    const detail = await client.show(letter);
    if (detail !== undefined) lines.push(`${JSON.stringify({ service: letter.service, ...detail })}\n`);
  }
  const { out = '-' } = args.values;
  const output = outputTo(process.stderr);
  if (out === '-') process.stdout.write(lines.join(''));
  else {
    await writeFile(typedPath(out), lines.join(''), { mode: 0o600 });
    if (args.values.json === true)
      printJson({ exported: lines.length, left: Math.max(0, letters.length - args.max) });
    else output.good(`${String(lines.length)} letters in ${out}`);
  }
  if (letters.length > args.max) output.dim(`${String(letters.length - args.max)} more wait beyond --max`);
  return exitCodes.ok;
};

const mended = async (client: LetterClient, letter: FoundLetter): Promise<unknown> => {
  const detail = await client.show(letter);
  if (detail === undefined) throw new CommandError(exitCodes.failed, `${letter.id} is settled`);
  return editLetter(detail, process.env);
};

/** Each on its own: ended in the middle, what was ordered stays so, and the rest waits as before. */
const order = async (
  args: DlqArguments,
  { client, letters }: { client: LetterClient; letters: readonly FoundLetter[] },
): Promise<ExitCode> => {
  const { action, values, max, ratePerSecond } = args;
  const what = action === 'discard' ? 'discard' : 'redrive';
  // What is parked follows the one before it by itself.
  const due = letters.filter(
    ({ reason, redrives }) =>
      args.id !== undefined || what === 'discard' || reason !== 'parked-behind' || redrives > 0,
  );
  const chosen = due.slice(0, max);
  const output = outputTo(process.stderr);
  const why = values.why ?? `npm run dlq -- ${what}`;
  const results: { id: string; result: string; why?: string }[] = [];
  for (const [index, letter] of chosen.entries()) {
    if (values['dry-run'] === true) {
      results.push({ id: letter.id, result: `would ${what}` });
      continue;
    }
    if (index > 0) await delay(1000 / ratePerSecond);
    const edited = values.edit === true ? await mended(client, letter) : undefined;
    const answer = await client.order(what, letter, edited === undefined ? { why } : { why, edited });
    results.push({
      id: letter.id,
      result: answer.kind,
      ...(answer.kind === 'done' ? {} : { why: answer.why }),
    });
  }
  if (values.json === true) printJson({ results, left: due.length - chosen.length });
  else {
    for (const { id, result, why: said } of results)
      output.line(`${id}  ${result}${said === undefined ? '' : `: ${said}`}`);
    if (due.length > chosen.length)
      output.dim(`${String(due.length - chosen.length)} more wait: --max ${String(due.length)}`);
  }
  return results.some(({ result }) => result === 'refused') ? exitCodes.failed : exitCodes.ok;
};

const isUnsettled = ({ state }: FoundLetter): boolean => state === 'open' || state === 'requested';

/** One that is settled already: whatever is ordered of it again has no effect. */
const alreadySettled = ({ action, values }: DlqArguments, { id, state, note }: FoundLetter): ExitCode => {
  const why = `is ${state} already: ${note ?? ''}`;
  const isOrder = action === 'redrive' || action === 'discard';
  if (isOrder && values.json === true)
    printJson({ results: [{ id, result: 'gone', why: `it ${why}` }], left: 0 });
  else outputTo(process.stderr).line(`${id} ${why}`);
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
    const all = await client.list();
    const letters = all.filter(
      (letter) => isWanted(args, letter) && (args.values.settled === true || isUnsettled(letter)),
    );
    const [letter] = letters;
    if (args.id !== undefined && letter === undefined) {
      const leftOut = all.find(({ id }) => id === args.id);
      if (leftOut === undefined)
        throw new CommandError(exitCodes.failed, `no dead letter ${args.id}: npm run dlq -- list`);
      if (isUnsettled(leftOut))
        throw new CommandError(
          exitCodes.failed,
          `the filters leave out ${args.id}, which is ${leftOut.state}`,
        );
      return alreadySettled(args, leftOut);
    }
    switch (args.action) {
      case 'list':
        return list(args, letters);
      case 'show':
        return letter === undefined ? exitCodes.failed : show(args, { client, endpoints, letter });
      case 'export':
        return exportTo(args, { client, letters });
      case 'redrive':
      case 'discard':
        return order(args, { client, letters });
    }
  },
};
