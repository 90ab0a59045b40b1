/** Dead letters of a queue as people see them, whatever the queue runs on. */
import { createHash } from 'node:crypto';
import {
  errorHeaderNames,
  headerText,
  type LetterDetail,
  type LetterState,
  type LetterSummary,
} from '@parley/delivery';
import type { LetterRules, QueueDefinition } from './ports.ts';

/** A queue, and what is to be known of its letters. */
export interface LetterSource extends LetterRules {
  readonly definition: QueueDefinition;
}

/** Of a message that was redriven: how often. */
export const REDRIVES = 'x-redrives';
const markNames = { as: 'x-letter-mark', why: 'x-letter-why', time: 'x-letter-time' } as const;
/** Times that a letter may be redriven; then it is to be discarded. */
const REDRIVES_MAX = 20;

/** Where settled letters are kept for a while, with what became of them. */
export const settledQueueOf = ({ deadLetterQueue }: QueueDefinition): string => `${deadLetterQueue}.settled`;

/** A dead letter as it lies in its queue. */
export interface StoredLetter {
  /** Empty when its publisher gave it none. */
  readonly messageId: string;
  readonly type: string;
  readonly body: Buffer;
  readonly correlationId: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

const text = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';

/** Letters without a message id are told apart by their bodies; of equal ones any is meant. */
export const idOf = (
  { queue }: QueueDefinition,
  { messageId, body }: Pick<StoredLetter, 'messageId' | 'body'>,
): string =>
  `${queue}:${messageId === '' ? `sha256-${createHash('sha256').update(body).digest('hex').slice(0, 16)}` : messageId}`;

const redrivesOf = ({ headers }: Pick<StoredLetter, 'headers'>): number =>
  Number(text(headers[REDRIVES])) || 0;

/** Why a letter may not be redriven once more; undefined when it may. */
export const redriveProblem = (letter: Pick<StoredLetter, 'headers'>): string | undefined => {
  const redrives = redrivesOf(letter);
  return redrives < REDRIVES_MAX ? undefined : `it was redriven ${String(redrives)} times: discard it`;
};

const SUBJECT_MAX = 100;

export const summaryOf = ({ definition, subjectOf }: LetterSource, letter: StoredLetter): LetterSummary => {
  const { messageId, type, body, correlationId, headers } = letter;
  const sinceMs = Date.parse(text(headers[errorHeaderNames.time]));
  const state = text(headers[markNames.as]) as LetterState | ''; // only written here
  return {
    id: idOf(definition, letter),
    broker: 'rabbitmq',
    source: definition.queue,
    consumer: definition.queue,
    position: messageId,
    subject: (subjectOf?.(body) ?? messageId).slice(0, SUBJECT_MAX),
    type,
    correlationId,
    // The broker makes a letter too, of what it was given back too often or cannot be sent with a reason.
    reason: text(headers[errorHeaderNames.reason]) || text(headers['x-first-death-reason']),
    message: text(headers[errorHeaderNames.message]),
    attempts: Number(text(headers[errorHeaderNames.attempts])) || 0,
    sinceMs: Number.isNaN(sinceMs) ? undefined : sinceMs,
    redrives: redrivesOf(letter),
    state: state === '' ? 'open' : state,
    note: text(headers[markNames.why]) || undefined,
  };
};

const decoded = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
};

export const detailOf = (source: LetterSource, letter: StoredLetter): LetterDetail => ({
  ...summaryOf(source, letter),
  errorClass: text(letter.headers[errorHeaderNames.errorClass]),
  traceparent: text(letter.headers.traceparent) || undefined,
  headers: Object.entries(letter.headers).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]),
  key: letter.messageId,
  value: letter.body.toString('base64'),
  decoded: decoded(letter.body),
});

/** The body that is worked on instead of a letter's own, or why there is none. */
export const editedBody = (
  { problemOf }: LetterSource,
  edited: unknown,
): { readonly body: Buffer } | { readonly problem: string } => {
  const body = Buffer.from(JSON.stringify(edited));
  const problem = problemOf?.(body);
  return problem === undefined ? { body } : { problem };
};

/** Headers of a letter that goes to its queue again: the original's, and how often it did. */
export const redrivenHeaders = (letter: StoredLetter): Record<string, unknown> => {
  const ours: readonly string[] = Object.values(errorHeaderNames);
  const original = Object.entries(letter.headers).filter(
    ([name]) => !ours.includes(name) && name !== 'x-death' && !name.startsWith('x-first-death-'),
  );
  return { ...Object.fromEntries(original), [REDRIVES]: redrivesOf(letter) + 1 };
};

/** Those that were settled last, oldest first: a queue that was looked at hands them out in another order. */
export const lastSettled = <L extends Pick<StoredLetter, 'headers'>>(
  letters: readonly L[],
  max: number,
): readonly L[] => {
  const timeOf = ({ headers }: L): number => Date.parse(text(headers[markNames.time])) || 0;
  return letters.toSorted((one, other) => timeOf(one) - timeOf(other)).slice(-max);
};

/** What a settled letter has besides. */
export const markHeaders = (
  as: 'redriven' | 'discarded',
  why: string,
  nowMs: number,
): Record<string, string> => ({
  [markNames.as]: as,
  [markNames.why]: headerText(why),
  [markNames.time]: new Date(nowMs).toISOString(),
});
