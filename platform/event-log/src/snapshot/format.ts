/**
 * A snapshot file, little-endian. Every byte of it lies under a checksum or is compared:
 *
 *   magic [16]   sections, each a multiple of 8 long   trailer (JSON)   trailer length u32   SHA-256 of the trailer [32]   magic [16]
 *
 * The trailer says what the snapshot is of and where each section lies, with its SHA-256. It comes last, as only then
 * everything is known; a file that was cut has none.
 */
import { Buffer } from 'node:buffer';
import type { TableLayout } from './table.ts';

/** Raised whenever the bytes of a snapshot mean something else than before. */
export const SNAPSHOT_FORMAT = 2;

export const MAGIC = Buffer.from('PARLEY SNAPSHOT\n', 'latin1');
export const TAIL_BYTES = 4 + 32 + MAGIC.length;
/** Written, read and hashed at once. */
export const CHUNK_BYTES = 1_048_576;

/** What a snapshot is of. `Meta` is the fold's own part. */
export interface SnapshotTrailer<Meta> {
  readonly format: number;
  readonly meta: Meta;
  readonly shapes: readonly (readonly string[])[];
  readonly sections: Readonly<Record<string, Section>>;
}

export interface Section {
  readonly at: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Present on tables. */
  readonly table?: TableLayout;
}
