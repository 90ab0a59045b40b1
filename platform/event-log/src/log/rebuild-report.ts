/** What is told about a rebuild: plain data. */

/** How far a rebuild that runs has come. */
export interface RebuildProgress {
  readonly name: string;
  readonly topic: string;
  /** The next offset to be read, by partition. */
  readonly positions: readonly number[];
  /** Where the live read model is; the rebuild ends when it is there too. */
  readonly live: readonly number[];
}

/** A rebuild that is done: its read model is the live one now. */
export interface RebuildReport {
  readonly name: string;
  readonly topic: string;
  /** Where both were when they were swapped: the next offset to be read, by partition. */
  readonly positions: readonly number[];
  readonly rows: number;
  /** Accepted events that were read again. */
  readonly events: number;
  readonly tookMs: number;
  /** True when the live read model was not what the log says. It is replaced all the same. */
  readonly differed: boolean;
  /** Present when they differed: how many rows, some of their keys, and the state hash of either. */
  readonly difference?: {
    readonly rows: number;
    readonly keys: readonly string[];
    readonly liveHash: string;
    readonly rebuiltHash: string;
  };
}

export type RebuildOutcome =
  | { readonly kind: 'rebuilt'; readonly report: RebuildReport }
  /** One at a time for each topic: this one runs. */
  | { readonly kind: 'running'; readonly running: RebuildProgress }
  /** There is no projection of that name. */
  | { readonly kind: 'unknown' }
  /** Nothing was changed. Retryable, but for `closed`. */
  | { readonly kind: 'aborted'; readonly reason: 'not-started' | 'closed' | 'log-was-cut' | 'deadline' };
