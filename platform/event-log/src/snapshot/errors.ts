/** Why a snapshot is not used: `stale` describes another code, format or log; `damaged` cannot be trusted at all. */
export type SnapshotFault = 'stale' | 'damaged' | 'unreadable';

/** A snapshot that must be ignored; the fold replays instead. */
export class SnapshotUnusable extends Error {
  override readonly name = 'SnapshotUnusable';
  readonly fault: SnapshotFault;

  constructor(fault: SnapshotFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** A state or row holds what a snapshot cannot give back: final, as the next one would hold it too. */
export class SnapshotRefused extends Error {
  override readonly name = 'SnapshotRefused';
}
