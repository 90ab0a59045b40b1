/** Why something is a dead letter. */
export interface DeadLetter {
  /** One line: what the handler said, `attempts-exhausted`, or what could not be done with it. */
  readonly reason: string;
  /** Name of the error's class; empty when there was no error. */
  readonly errorClass: string;
  readonly message: string;
  /** Calls of the handler that failed; those that had to wait for something else do not count. */
  readonly attempts: number;
}

/** Reason of a letter that has not failed: an earlier event of its stream has. */
export const PARKED = 'parked-behind';

/** Headers that a dead letter has besides those of the original, on both brokers. */
export const errorHeaderNames = {
  reason: 'x-error-reason',
  errorClass: 'x-error-class',
  message: 'x-error-message',
  attempts: 'x-error-attempts',
  /** When it became a dead letter, ISO 8601. */
  time: 'x-error-time',
} as const;

const MAX_TEXT = 500;

/** As a header, a text is one line, and short, as a frame of headers has a largest size. */
export const headerText = (text: string): string => text.slice(0, MAX_TEXT).replaceAll(/\p{Cc}/gu, ' ');

/** The reason of a dead letter as headers, bounded and without control characters. */
export const errorHeaders = (letter: DeadLetter, nowMs: number): Readonly<Record<string, string>> => ({
  [errorHeaderNames.reason]: headerText(letter.reason),
  [errorHeaderNames.errorClass]: headerText(letter.errorClass),
  [errorHeaderNames.message]: headerText(letter.message),
  [errorHeaderNames.attempts]: String(letter.attempts),
  [errorHeaderNames.time]: new Date(nowMs).toISOString(),
});
