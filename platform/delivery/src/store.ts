/** The dead letters of one consumer, as every broker tells them. */

export type LetterState =
  /** Waits for somebody. */
  | 'open'
  /** Is to be handled again, and was not yet. */
  | 'requested'
  | 'redriven'
  | 'discarded';

export interface LetterSummary {
  /** Names it in commands, for as long as it is kept. */
  readonly id: string;
  readonly broker: 'kafka' | 'rabbitmq';
  /** Topic or queue that it comes from. */
  readonly source: string;
  /** Consumer group, or the queue again. */
  readonly consumer: string;
  /** Partition and offset, or message id. */
  readonly position: string;
  /** Stream id, or what a message says that it is about, or its id. */
  readonly subject: string;
  /** Type of the event or message; empty when it is not known. */
  readonly type: string;
  readonly correlationId: string;
  readonly reason: string;
  readonly message: string;
  readonly attempts: number;
  /** Since when it is a dead letter, milliseconds since the epoch; undefined when it does not say. */
  readonly sinceMs: number | undefined;
  /** How often it was redriven and died again. */
  readonly redrives: number;
  readonly state: LetterState;
  /** Why it was settled, or why it died again. */
  readonly note: string | undefined;
}

export interface LetterDetail extends LetterSummary {
  readonly errorClass: string;
  readonly traceparent: string | undefined;
  /** All of the original's and those of the letter, in their order; what is no text is hexadecimal. */
  readonly headers: readonly (readonly [name: string, value: string | null])[];
  readonly key: string | null;
  /** The original, base64; null when it has none. */
  readonly value: string | null;
  /** What it says; undefined when that cannot be told. */
  readonly decoded: unknown;
}

export type LetterAnswer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'not-found' }
  /** It cannot be done, and why. */
  | { readonly kind: 'refused'; readonly why: string };

export interface DeadLetterStore {
  /** Open letters, and the last ones that were settled. */
  list(): Promise<readonly LetterSummary[]>;
  show(id: string): Promise<LetterDetail | undefined>;
  /**
   * Asks for a letter to be handled again, with `edited` instead of what it says. Resolves once that is stored. However often
   * it is asked for, the effect happens once.
   */
  redrive(id: string, options: { readonly why: string; readonly edited?: unknown }): Promise<LetterAnswer>;
  /** Settles a letter without handling it: the original is kept, and what was parked behind it goes on. */
  discard(id: string, options: { readonly why: string }): Promise<LetterAnswer>;
}
