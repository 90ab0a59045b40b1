/** When snapshots are written, and how large they may be. */
export interface SnapshotLimits {
  /** Accepted events since the last one. */
  readonly minEvents: number;
  /** Milliseconds since the last one, or since one that failed. */
  readonly minPauseMs: number;
  /** Milliseconds since the last one while fewer than `manyEvents` were accepted. */
  readonly fewPauseMs: number;
  /** So many accepted events since the last one would take seconds to replay. */
  readonly manyEvents: number;
  /** Share of the time that may be spent on writing: the pause is at least the work that the last one was ÷ this. */
  readonly maxShare: number;
  /** Bytes of one file; a fold that needs more has no snapshots. Below 4 GiB. */
  readonly maxBytes: number;
}

export const defaultSnapshotLimits: SnapshotLimits = {
  minEvents: 5000,
  minPauseMs: 60_000,
  fewPauseMs: 300_000,
  manyEvents: 300_000,
  maxShare: 0.05,
  maxBytes: 2_147_483_648,
};

/** Where and when a log keeps snapshots; undefined: nowhere. */
export interface SnapshotSettings {
  readonly directory: string;
  readonly limits: SnapshotLimits;
}

export const snapshotsIn = (
  directory: string | undefined,
  limits: Partial<SnapshotLimits> = {},
): { readonly snapshots?: SnapshotSettings } =>
  directory === undefined
    ? {}
    : { snapshots: { directory, limits: { ...defaultSnapshotLimits, ...limits } } };
