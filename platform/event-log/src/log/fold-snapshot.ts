/** What a snapshot holds of the fold of one topic. */
import { Buffer } from 'node:buffer';
import { RECENT_COMMITS, type Arbiter, type Recent, type StreamHead } from '../arbitration/arbiter.ts';
import type { CommitKey } from '../arbitration/commit-header.ts';
import type { Breather } from '../snapshot/breather.ts';
import type { ByteSink } from '../snapshot/byte-sink.ts';
import { SnapshotUnusable } from '../snapshot/errors.ts';
import type { SnapshotFile } from '../snapshot/file-reader.ts';
import type { SnapshotFileWriter } from '../snapshot/file-writer.ts';
import type { SnapshotPart } from '../snapshot/part.ts';

/** The state of a fold, as far as a snapshot keeps it. */
interface FoldState {
  readonly topic: string;
  readonly partitions: readonly PartitionState[];
  readonly counts: Record<string, number>;
  readonly parts: readonly SnapshotPart[];
}

interface PartitionState {
  readonly arbiter: Pick<Arbiter<never>, 'openFrom' | 'streams'>;
  next: number;
  lastCommit: CommitKey | undefined;
  readonly rejected: Set<number>;
  forgottenBelow: number;
}

/** The small part of a fold, in the trailer of the file. */
export interface FoldMeta {
  readonly topic: string;
  readonly partitions: readonly {
    readonly next: number;
    /** Hexadecimal; null when the record before `next` was no commit's. */
    readonly lastCommit: string | null;
    readonly forgottenBelow: number;
  }[];
  readonly counts: Readonly<Record<string, number>>;
}

/** A fold at the moment when it was frozen. */
export interface FrozenFold {
  readonly meta: FoldMeta;
  /** In slices. @throws SnapshotRefused */
  write(writer: SnapshotFileWriter): Promise<void>;
  /** Must be called once, when nothing more is written. In slices, of a breather that does not give up. */
  thaw(breather: Breather): Promise<void>;
}

const OFFSET_BYTES = 8;

/**
 * Puts everything aside at once, between two batches: the partitions are of one moment. The cost is that of the rejected
 * offsets, which are copied; streams, states and rows are not. Undefined while a commit is open, as a snapshot begins
 * and ends between commits; the records of one commit lie in one batch, so this is rare.
 */
export function freezeFold({ topic, partitions, counts, parts }: FoldState): FrozenFold | undefined {
  if (partitions.some(({ arbiter }) => arbiter.openFrom !== undefined)) return undefined;
  const heads = partitions.map(({ arbiter }) => arbiter.streams.freeze());
  const rejected = partitions.map((partition) => Float64Array.from(partition.rejected));
  const frozen = parts.map((part) => part.freeze());
  const meta: FoldMeta = {
    topic,
    partitions: partitions.map(({ next, lastCommit, forgottenBelow }) => ({
      next,
      lastCommit: lastCommit === undefined ? null : Buffer.from(lastCommit, 'latin1').toString('hex'),
      forgottenBelow,
    })),
    counts: { ...counts },
  };
  return {
    meta,
    write: async (writer) => {
      for (const [partition, streams] of heads.entries())
        await writer.table(`streams ${partition}`, streams, encodeHead);
      for (const [partition, offsets] of rejected.entries())
        await writer.section(`rejected ${partition}`, Buffer.from(offsets.buffer));
      for (const part of frozen) await part.write(writer);
    },
    thaw: async (breather) => {
      for (const { arbiter } of partitions) await arbiter.streams.thaw(breather);
      for (const part of frozen) await part.thaw(breather);
    },
  };
}

/** @throws SnapshotUnusable, having replaced some of the state. */
export function adoptFold(state: FoldState, file: SnapshotFile<FoldMeta>): void {
  const { meta } = file;
  if (meta.topic !== state.topic || meta.partitions.length !== state.partitions.length)
    throw new SnapshotUnusable('stale', `it is of ${meta.topic} with ${meta.partitions.length} partitions`);
  for (const [number, partition] of state.partitions.entries()) {
    const saved = meta.partitions[number];
    if (saved === undefined) continue; // as many as there are partitions
    partition.arbiter.streams.adopt(file.table(`streams ${number}`, decodeHead));
    const offsets = file.section(`rejected ${number}`);
    partition.rejected.clear();
    for (let at = 0; at < offsets.length; at += OFFSET_BYTES)
      partition.rejected.add(offsets.readDoubleLE(at));
    partition.next = saved.next;
    partition.lastCommit =
      saved.lastCommit === null ? undefined : Buffer.from(saved.lastCommit, 'hex').toString('latin1');
    partition.forgottenBelow = saved.forgottenBelow;
  }
  Object.assign(state.counts, meta.counts);
  for (const part of state.parts) part.adopt(file);
}

/** version u32, commits u32, history u32, then per recent commit, in the order of the ring: id [16], version u32, offset f64. */
function encodeHead(sink: ByteSink, { version, commits, history, recent }: StreamHead): void {
  sink.u32(version);
  sink.u32(commits);
  sink.u32(history >>> 0);
  for (const { commit, version: at, offset } of recent) {
    sink.latin1(commit);
    sink.u32(at);
    sink.f64(offset);
  }
}

function decodeHead(bytes: Buffer, start: number, end: number): StreamHead {
  const recent: Recent[] = [];
  for (let at = start + 12; at < end; at += 28) {
    recent.push({
      commit: bytes.toString('latin1', at, at + 16),
      version: bytes.readUInt32LE(at + 16),
      offset: bytes.readDoubleLE(at + 20),
    });
  }
  const commits = bytes.readUInt32LE(start + 4);
  const last = recent[(commits - 1) % RECENT_COMMITS];
  if (last === undefined) throw new RangeError('a stream without commits');
  return {
    version: bytes.readUInt32LE(start),
    commits,
    history: bytes.readInt32LE(start + 8),
    recent,
    last: last.commit,
  };
}
