import { parseArgs } from 'node:util';
import {
  DEAD_LETTERS_ORDER_DEFAULT,
  DEAD_LETTERS_ORDER_MAX,
  DEAD_LETTERS_RATE_DEFAULT,
  DEAD_LETTERS_RATE_MAX,
  DeadLetterFilter,
} from '@parley/contracts/rest';
import type { z } from 'zod';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';

export const help = [
  'usage: npm run dlq -- <list|show|redrive|discard|export> [<id>] [options]',
  '',
  'dead letters of both brokers: what could not be handled, why, and back again',
  '',
  '  list                     those that wait; --settled: the last ones that were settled, too',
  '  show <id>                one with its headers, decoded, and as bytes',
  '  redrive <id>             has it handled again; what is parked behind it follows. Pressing it again does no harm',
  '  redrive --all            all that wait, or those that a filter leaves; ended in the middle, do it again',
  '  discard <id> --why …     settles it without handling it; the original is kept',
  '  export --out <file>      one JSON object a line; - is stdout',
  '',
  '  --service, --broker, --reason, --type <text>    filters: the service, broker and type alike, the reason contains it',
  '  --why <text>             kept beside the original; needed to discard',
  '  --edit                   of one: opens its payload in $EDITOR, and has it handled as it says then',
  '  --dry-run                says what would be done',
  `  --rate <n>               letters a second, one service after the other (${String(DEAD_LETTERS_RATE_DEFAULT)})`,
  `  --max <n>                at most so many letters (${String(DEAD_LETTERS_ORDER_DEFAULT)}; an export has all)`,
  '  --json                   JSON instead of text',
  '  --help                   this text',
].join('\n');

const options = {
  all: { type: 'boolean' },
  settled: { type: 'boolean' },
  service: { type: 'string' },
  broker: { type: 'string' },
  reason: { type: 'string' },
  type: { type: 'string' },
  why: { type: 'string' },
  edit: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  rate: { type: 'string' },
  max: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const actions = ['list', 'show', 'redrive', 'discard', 'export'] as const;
type Action = (typeof actions)[number];

/** What was typed, checked. */
export interface DlqArguments {
  readonly action: Action;
  readonly id: string | undefined;
  readonly values: ReturnType<typeof parse>['values'];
  /** As every service applies it. */
  readonly filter: z.infer<typeof DeadLetterFilter>;
  readonly ratePerSecond: number;
  readonly max: number;
}

const usage = (why: string): CommandError => new CommandError(exitCodes.usage, `${why}\n\n${help}`);

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw usage(messageOf(error));
  }
};

const wholeNumber = (name: string, text: string, max: number): number => {
  if (!/^[1-9]\d{0,5}$/.test(text) || Number(text) > max)
    throw usage(`--${name} must be a whole number from 1 to ${String(max)}`);
  return Number(text);
};

/** Undefined for --help. @throws CommandError for wrong usage */
export const parseDlq = (argv: readonly string[]): DlqArguments | undefined => {
  const { values, positionals } = parse(argv);
  if (values.help === true) return undefined;
  const [word, id, ...rest] = positionals;
  const action = actions.find((candidate) => candidate === word);
  if (action === undefined) throw usage(word === undefined ? 'no action' : `unknown action ${word}`);
  if (rest.length > 0) throw usage(`too much: ${rest.join(' ')}`);
  if (action === 'show' && id === undefined) throw usage('show needs an id');
  if ((action === 'redrive' || action === 'discard') && (id === undefined) === (values.all !== true))
    throw usage(`${action} needs an id, or --all`);
  if (action === 'discard' && (values.why ?? '').trim() === '') throw usage('discard needs --why');
  if (values.edit === true && (action !== 'redrive' || id === undefined))
    throw usage('--edit is for the redrive of one letter');
  const { broker, reason, type, rate, max } = values;
  const filter = DeadLetterFilter.safeParse({ broker, reason, type });
  if (!filter.success) throw usage(`--broker must be kafka or rabbitmq`);
  const maxDefault = action === 'export' ? DEAD_LETTERS_ORDER_MAX : DEAD_LETTERS_ORDER_DEFAULT;
  return {
    action,
    id,
    values,
    filter: filter.data,
    ratePerSecond: wholeNumber('rate', rate ?? String(DEAD_LETTERS_RATE_DEFAULT), DEAD_LETTERS_RATE_MAX),
    max: wholeNumber('max', max ?? String(maxDefault), DEAD_LETTERS_ORDER_MAX),
  };
};
