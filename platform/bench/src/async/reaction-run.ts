/** What the reaction benchmark and its processes agree on. */

export const REACTION_TOPIC = 'parley.bench.reaction';

/** As a reaction does: see CHUNK in the event log's reactor. */
export const COMMIT_EVERY = 64;

export interface ReactionRun {
  readonly handled: number;
  /** From the assignment of the partitions until the last offset is committed. */
  readonly ms: number;
  /** Before that: what a process folds before its reactions join. */
  readonly replayMs: number;
}
