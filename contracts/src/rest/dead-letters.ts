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

/** Answer of `GET /ops/dead-letters`: all that are open, and the last ones that were settled. */
export const DeadLetters = z.object({ letters: z.array(DeadLetter) });

/** Answer of `GET /ops/dead-letters/{id}`: an open letter with the original. */
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
export const DeadLetterOrder = z.object({
  why: z.string().min(1).max(500),
  /** Of a redrive: what is handled instead of what the letter says. */
  edited: z.unknown().optional(),
});
