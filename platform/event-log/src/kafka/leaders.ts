/**
 * Whose records of each partition were read. A log is cut by a new leader that had missed its end, and what is written
 * from then on bears that leader's number. So whoever meets a number for the first time looks back at what it has read,
 * also when the log has grown again over its place meanwhile.
 */
import type { RawRecord } from '../log/transport.ts';

export class Leaders {
  /** The highest number by partition. */
  readonly #known = new Map<number, number>();

  /** Whether the record is the first of a leader behind those of another one. Once for each leader. */
  isNew(partition: number, { leaderEpoch }: RawRecord): boolean {
    const known = this.#known.get(partition);
    if (leaderEpoch === undefined || leaderEpoch <= (known ?? -1)) return false;
    this.#known.set(partition, leaderEpoch);
    return known !== undefined;
  }

  /** What is read in one answer lies in one log: only what comes behind it may be of another one. */
  onRead(partition: number, records: readonly RawRecord[]): void {
    const last = records.at(-1);
    if (last !== undefined) this.isNew(partition, last);
  }
}
