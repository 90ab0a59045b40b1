import { z } from 'zod';

/** A dead letter of one consumer of one service, as its operations port tells it, whichever broker it lies on. */
export const DeadLetter = z.object({
  /** Names it in commands. */
  id: z.string(),
  broker: z.enum(['kafka', 'rabbitmq']),
  /** Topic or queue that it comes from. */
  source: z.string(),
  /** Consumer group, or the queue. */
  consumer: z.string(),
  /** Partition and offset in the source, or message id. */
  position: z.string(),
  /** Stream id, or what a message says that it is about, or its id. */
  subject: z.string(),
  type: z.string(),
  correlationId: z.string(),
  reason: z.string(),
  message: z.string(),
  attempts: z.int().nonnegative(),
  /** Since when it is dead, milliseconds since the epoch. */
  sinceMs: z.number().optional(),
  /** How often it was redriven and died again. */
  redrives: z.int().nonnegative(),
  state: z.enum(['open', 'requested', 'redriven', 'discarded']),
  note: z.string().optional(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;

/** Which of the letters that wait. */
export const DeadLetterFilter = z.strictObject({
  state: z.enum(['open', 'requested']).optional(),
  broker: DeadLetter.shape.broker.optional(),
  /** The letter's contains it. */
  reason: z.string().optional(),
  type: z.string().optional(),
});

/** Query of `GET /ops/dead-letters`. */
export const DeadLettersQuery = DeadLetterFilter.extend({
  state: DeadLetter.shape.state.optional(),
  /** `false` leaves out those that were settled. */
  settled: z.enum(['true', 'false']).optional(),
});
export type DeadLettersQuery = z.infer<typeof DeadLettersQuery>;

/** Most letters of one order or export, and how many an order takes when it says nothing; an export then has all. */
export const DEAD_LETTERS_ORDER_MAX = 100_000;
export const DEAD_LETTERS_ORDER_DEFAULT = 100;
/** Letters a second of an order. */
export const DEAD_LETTERS_RATE_MAX = 1_000;
export const DEAD_LETTERS_RATE_DEFAULT = 10;

/** Query of `GET /ops/dead-letters/export`. */
export const DeadLettersExportQuery = DeadLetterFilter.extend({
  /** In decimal digits. */
  max: z.int().min(1).max(DEAD_LETTERS_ORDER_MAX).optional(),
});
export type DeadLettersExportQuery = z.infer<typeof DeadLettersExportQuery>;

/** Answer of `GET /ops/dead-letters`: those that wait, and the last ones that were settled, as far as the query leaves them. */
export const DeadLetters = z.object({ letters: z.array(DeadLetter) });

/**
 * Answer of `GET /ops/dead-letters/{id}`: a letter that waits, with the original. Each line of `…/export` is one; an
 * export that cannot be ended is cut.
 */
export const DeadLetterDetail = DeadLetter.extend({
  errorClass: z.string(),
  traceparent: z.string().optional(),
  /** The original's, in their order; what is no text is hexadecimal. */
  headers: z.array(z.tuple([z.string(), z.string().nullable()])),
  key: z.string().nullable(),
  /** The original's value, base64. */
  value: z.string().nullable(),
  /** Absent when it cannot be decoded. */
  decoded: z.unknown().optional(),
});
export type DeadLetterDetail = z.infer<typeof DeadLetterDetail>;

/** Body of `POST /ops/dead-letters/{id}/redrive` and `…/discard`. */
export const DeadLetterOrder = z.strictObject({
  why: z.string().min(1).max(500),
  /** Of a redrive: what is handled instead of what the letter says. */
  edited: z.unknown().optional(),
});

/**
 * Body of `POST /ops/dead-letters/redrive` and `…/discard`: one after the other of those that wait; a redrive passes over
 * those that were requested already. 409 CONFLICT while the process works on another one. It ends with the letter at hand
 * once its connection is closed; a client that only reads nothing is worked for until the lines no longer fit between.
 */
export const DeadLettersOrder = z.strictObject({
  why: DeadLetterOrder.shape.why,
  filter: DeadLetterFilter.optional(),
  /** With 0 it only says how many are left. */
  max: z.int().min(0).max(DEAD_LETTERS_ORDER_MAX).optional(),
  ratePerSecond: z.int().min(1).max(DEAD_LETTERS_RATE_MAX).optional(),
  /** Says what would be done, and does nothing. */
  dryRun: z.boolean().optional(),
});
export type DeadLettersOrder = z.infer<typeof DeadLettersOrder>;

/** What became of one letter. */
export const DeadLetterResult = z.object({
  id: z.string(),
  result: z.enum(['done', 'gone', 'refused', 'would redrive', 'would discard']),
  /** Why it was refused, or is gone: it is settled, or another process looks at it. */
  why: z.string().optional(),
});
export type DeadLetterResult = z.infer<typeof DeadLetterResult>;

/** One line of the answer to such an order, as soon as it is so; an answer that does not end with `left` was cut. */
export const DeadLettersOrderLine = z.union([
  DeadLetterResult,
  z.object({
    /** Of those chosen, how many were not reached: by a dry run, how many are beyond `max`. */
    left: z.int().nonnegative(),
    /** Why it ended before `max`. */
    stopped: z.string().optional(),
  }),
]);
export type DeadLettersOrderLine = z.infer<typeof DeadLettersOrderLine>;
