import { typedCommand } from '@parley/engines';

/** What a command's exit code means: 0 done, 1 a check failed, 2 wrong usage, 3 the environment lacks something. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, environment: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An expected end of a command: its message is for a person and says what to do; no stack trace is shown. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

const unwritable: Readonly<Record<string, string>> = {
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'it lies on a file system that can only be read',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  ENOTDIR: 'something on its path is no folder',
};

/** What to tell a person whose run folder cannot be used, when that is what was thrown; undefined otherwise. */
export const unwritableMessage = (error: unknown, runDir: string): string | undefined => {
  if (!(error instanceof Error) || !('code' in error) || !('path' in error || 'dest' in error))
    return undefined;
  const reason = unwritable[String(error.code)];
  const path = String('path' in error ? error.path : error.dest);
  if (
    reason === undefined ||
    !(path === runDir || path.startsWith(`${runDir}/`) || runDir.startsWith(`${path}/`))
  )
    return undefined;
  return `cannot use ${path}: ${reason} (${String(error.code)}). Mend that, or take another run folder: PARLEY_RUN_DIR=<a folder of yours> ${typedCommand()}`;
};

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
