/** What becomes of a record or message that a handler was called with. A handler that rejects asks to be tried again. */
export type Verdict =
  /** The effect is confirmed: it is never delivered again, unless the process dies before that is recorded. */
  | { readonly kind: 'done' }
  /** It failed: one of its attempts is used up, and after the last one it is a dead letter. */
  | { readonly kind: 'try-again'; readonly error: Error }
  /** Something that it needs is away, and it is not to blame: called again, without using up an attempt. */
  | { readonly kind: 'not-yet'; readonly why: string }
  /** It can never succeed: a dead letter at once. */
  | { readonly kind: 'dead-letter'; readonly reason: string };

/** The effect is confirmed. */
export const done: Verdict = { kind: 'done' };

/** An attempt has failed. The same as to reject. */
export const tryAgain = (error: Error): Verdict => ({ kind: 'try-again', error });

/** It has to wait for something else. `why` is one sentence for the operator, without data of customers. */
export const notYet = (why: string): Verdict => ({ kind: 'not-yet', why });

/** It can never succeed. `reason` becomes a header of the dead letter. */
export const deadLetter = (reason: string): Verdict => ({ kind: 'dead-letter', reason });
