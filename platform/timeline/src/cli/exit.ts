/** What an exit code means: 0 done, 1 a check failed, 2 wrong usage, 3 the environment lacks something. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, environment: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An expected end: its message is for a person and says what to do; no stack trace is shown. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(kind: Exclude<keyof typeof exitCodes, 'ok'>, message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCodes[kind];
  }
}

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
