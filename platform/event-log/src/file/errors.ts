/**
 * Why a log file was refused.
 *
 * - `foreign`: not a log file at all.
 * - `newer`: written in a version of the format that this release does not know.
 * - `truncated`: it ends before its trailer.
 * - `damaged`: its content is not what was written, or contradicts itself.
 */
export type LogFileFault = 'foreign' | 'newer' | 'truncated' | 'damaged';

/** A file that must not be read as a log. Final for this file: reading it again gives the same answer. */
export class LogFileError extends Error {
  override readonly name = 'LogFileError';
  readonly code: LogFileFault;
  readonly path: string;
  /** From 1; the first line is the header. */
  readonly line: number;
  readonly reason: string;

  constructor(code: LogFileFault, at: { readonly path: string; readonly line: number }, reason: string) {
    super(`${at.path}: line ${String(at.line)}: ${code}: ${reason}`);
    this.code = code;
    this.path = at.path;
    this.line = at.line;
    this.reason = reason;
  }
}
