import type { Breather } from './breather.ts';
import type { SnapshotFile } from './file-reader.ts';
import type { SnapshotFileWriter } from './file-writer.ts';

/** Something whose content is part of a snapshot: the streams of a partition, an aggregate, a view. */
export interface SnapshotPart {
  /** Names it among the parts of its topic. */
  readonly partName: string;
  /** URLs of the modules that decide the content; undefined when they are not told, so there can be no snapshot. */
  readonly modules: readonly string[] | undefined;
  /** Puts the content aside as it is now, at once. @throws Error when that was done and not ended. */
  freeze(): FrozenPart;
  /** Replaces the content by that of a snapshot. @throws SnapshotUnusable when the file has none for it. */
  adopt(file: SnapshotFile<unknown>): void;
}

/** The content of a part at the moment when it was frozen. */
export interface FrozenPart {
  /** In slices. @throws SnapshotRefused */
  write(writer: SnapshotFileWriter): Promise<void>;
  /** Must be called once, when nothing more is written. In slices, of a breather that does not give up. */
  thaw(breather: Breather): Promise<void>;
}
