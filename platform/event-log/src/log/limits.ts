/** Every bound of the event log, with what happens there. */
export interface LogLimits {
  /**
   * Commands of one aggregate type that may wait, be under way, or be in the log unheard of; past it `unavailable`
   * (queue-full). Plain appends are counted apart, with the same maximum.
   */
  readonly maxQueuedCommands: number;
  /** Commits that may be chained on one stream; further commands wait undecided. */
  readonly maxChainLength: number;
  /** Encoded bytes of one batch; a larger commit is `rejected` (too-large), others wait for the next batch. */
  readonly maxBatchBytes: number;
  /** Commits in one batch; others wait for the next batch. */
  readonly maxBatchCommits: number;
  /** The longest that commits wait for others to travel with; see send-turns.ts. */
  readonly lingerMs: number;
  /** How soon a topic that others write is fetched again while few records come at a time; see kafka/fetch-pace.ts. */
  readonly fetchEveryMs: number;
  /** So many commits wait for no others. */
  readonly lingerCommits: number;
  /** How long an append waits for its echo; then `unknown`, or `unavailable` when it was never sent. */
  readonly echoDeadlineMs: number;
  /** Times a command is decided again after losing; then `conflict`. */
  readonly maxConflictRetries: number;
  /** Calls of a reaction's `handle` for one event that may fail; then it is a dead letter. Those that wait do not count. */
  readonly reactionAttempts: number;
  /** Streams whose events one reaction handles at the same time. */
  readonly reactionConcurrency: number;
  /**
   * How long one call of a reaction's `handle` may take; then its signal is aborted, and once it has rejected it is
   * called again. One that does not heed the signal holds up what is behind it for as long as it runs.
   */
  readonly handleDeadlineMs: number;
  /**
   * Rejected offsets remembered per partition; a reaction that is further behind cannot get on, and its log is not ready
   * and says so.
   */
  readonly maxRejectedOffsets: number;
  /** Waits for a position at the same time (`EventLog.waitFor`); past it `late` at once. */
  readonly maxWaits: number;
  /** Waits for a position that the log does not have; past it `late` as soon as the log has said so. */
  readonly maxWaitsBeyondEnd: number;
  /**
   * How long something may stand still before the log is not ready: a reader that folds nothing while there is more, a
   * reaction that its group does not let in or whose consumer ends again and again. Longer than an ordinary rebalance, which may wait 10 s for a slow peer.
   */
  readonly standstillMs: number;
  /** How long a rebuild of a read model may take; then it is given up and nothing was changed. */
  readonly rebuildDeadlineMs: number;
}

export const defaultLimits: LogLimits = {
  maxQueuedCommands: 10_000,
  maxChainLength: 1000,
  maxBatchBytes: 800_000,
  maxBatchCommits: 1000,
  lingerMs: 50,
  fetchEveryMs: 20,
  lingerCommits: 32,
  echoDeadlineMs: 5000,
  maxConflictRetries: 5,
  reactionAttempts: 5,
  reactionConcurrency: 16,
  handleDeadlineMs: 60_000,
  maxRejectedOffsets: 1_000_000,
  maxWaits: 1000,
  maxWaitsBeyondEnd: 100,
  standstillMs: 15_000,
  rebuildDeadlineMs: 1_800_000,
};
