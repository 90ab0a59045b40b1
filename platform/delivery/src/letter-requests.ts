/** What may be asked of dead letters over HTTP; the shapes are those of contracts/src/rest/dead-letters.ts. */
import { z } from 'zod';
import type { LetterSummary } from './store.ts';

const WHY_MAX = 500;
/** Of one order or export. */
const LETTERS_MAX = 100_000;
const RATE_MAX = 1_000;

const why = z
  .string()
  .max(WHY_MAX)
  .refine((text) => text.trim() !== '', 'must say something');

/** Of the letters that wait. The reason contains the text, everything else is alike. */
const Filter = z.strictObject({
  state: z.enum(['open', 'requested']).optional(),
  broker: z.enum(['kafka', 'rabbitmq']).optional(),
  reason: z.string().optional(),
  type: z.string().optional(),
});

export const ListQuery = Filter.extend({
  state: z.enum(['open', 'requested', 'redriven', 'discarded']).optional(),
  /** `false` leaves out those that were settled. */
  settled: z.enum(['true', 'false']).default('true'),
});

export const ExportQuery = Filter.extend({
  max: z
    .string()
    .regex(/^[1-9]\d*$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().max(LETTERS_MAX))
    .default(LETTERS_MAX),
});

export const Discard = z.strictObject({ why });
export const Redrive = Discard.extend({ edited: z.unknown().optional() });

export const OrderOfMany = z.strictObject({
  why,
  filter: Filter.default({}),
  /** With 0 it only says how many are left. */
  max: z.int().min(0).max(LETTERS_MAX).default(100),
  ratePerSecond: z.int().min(1).max(RATE_MAX).default(10),
  dryRun: z.boolean().default(false),
});
export type OrderOfMany = z.output<typeof OrderOfMany>;

/** What is wrong with a request, by the name of the part that is. */
export const problemOf = ({ issues: [issue] }: z.ZodError): string => {
  const where = issue?.path.join('.') ?? '';
  return `${where === '' ? 'the request' : where}: ${issue?.message ?? 'is wrong'}`;
};

export const isWaiting = ({ state }: Pick<LetterSummary, 'state'>): boolean =>
  state === 'open' || state === 'requested';

/** Whether a filter leaves a letter. */
export const isWanted = (
  { state, broker, reason, type }: Omit<z.output<typeof ListQuery>, 'settled'>,
  letter: LetterSummary,
): boolean =>
  (state === undefined || letter.state === state) &&
  (broker === undefined || letter.broker === broker) &&
  (type === undefined || letter.type === type) &&
  (reason === undefined || letter.reason.includes(reason));
