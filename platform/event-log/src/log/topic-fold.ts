/** One process's fold of one topic: arbitrates every partition and feeds whoever listens with accepted events. */
import { Arbiter, recentOf, type Judged, type StreamHead } from '../arbitration/arbiter.ts';
import { fromKey, type CommitHeader, type CommitKey } from '../arbitration/commit-header.ts';
import { FOREIGN, type AvroCodec } from '../avro/codec.ts';
import type { DomainEvent, EventTopic, LogPosition, ReadProgress, RecordedEvent } from '../ports.ts';
import { SnapshotUnusable } from '../snapshot/errors.ts';
import type { SnapshotFile } from '../snapshot/file-reader.ts';
import type { SnapshotPart } from '../snapshot/part.ts';
import { adoptFold, freezeFold, type FoldMeta, type FrozenFold } from './fold-snapshot.ts';
import { partitionOf } from './partition-of.ts';
import { FoldWaiters } from './fold-waiters.ts';
import { commitHeaderOf, LazyRecordedEvent } from './recorded-event.ts';
import type { RawRecord, TopicListener } from './transport.ts';

/** What is folded before an echo is told: aggregates and views. */
export interface FoldTarget<E extends DomainEvent> {
  /** Named when its fold throws. */
  readonly name: string;
  apply(event: RecordedEvent<E>): void;
  reset(): void;
}

/** Comes and goes while the fold runs, and is not part of a snapshot. `apply` never throws. */
export interface FoldFollower<E extends DomainEvent> {
  /** After the targets, in the same step. */
  apply(event: RecordedEvent<E>, partition: number): void;
  reset(): void;
}

/** Told each verdict, after the fold. */
export interface EchoListener {
  onVerdict(partition: number, judged: Judged<unknown>): void;
  onReset(): void;
}

/** Where what is left out is reported. */
export interface FoldReporter {
  /** A record that no reader can read: once each. */
  badRecord(position: LogPosition, reason: string): void;
  /** An accepted event that a target's fold threw on: it is left out of that target. */
  failedFold(position: LogPosition, target: string, error: unknown): void;
}

const noCounts = {
  accepted: 0,
  conflicts: 0,
  duplicates: 0,
  badRecords: 0,
  skippedTypes: 0,
  failedFolds: 0,
};

/** What the arbiter carries from a record to its verdict; FOREIGN counts for the version and reaches no target. */
type Carried<E extends DomainEvent> = LazyRecordedEvent<E> | typeof FOREIGN;

interface Partition<E extends DomainEvent> {
  readonly arbiter: Arbiter<Carried<E>>;
  next: number;
  lastCommit: CommitKey | undefined;
  readonly rejected: Set<number>;
  /** Rejections below this offset are no longer remembered. */
  forgottenBelow: number;
  /** Taken from a snapshot, and the record right before `next` was not met again yet. */
  unverified: boolean;
}

export class TopicFold<E extends DomainEvent> implements TopicListener {
  /** The rules of the fold are part of what decides its content. */
  readonly module = import.meta.url;
  readonly topic: EventTopic<E>;
  readonly codec: AvroCodec<E>;
  readonly #partitions: Partition<E>[];
  readonly #targets: FoldTarget<E>[] = [];
  readonly #parts: SnapshotPart[] = [];
  #unkept: string | undefined;
  readonly #followers = new Set<FoldFollower<E>>();
  readonly #listeners: EchoListener[] = [];
  readonly #waiters = new FoldWaiters();
  /** What is awaited instead of folding, by partition; undefined: by all. */
  readonly #obstacles = new Map<number | undefined, string>();
  readonly #report: FoldReporter;
  readonly #maxRejected: number;
  readonly #counts = { ...noCounts };

  constructor(
    topic: EventTopic<E>,
    codec: AvroCodec<E>,
    options: { readonly report: FoldReporter; readonly maxRejected: number },
  ) {
    this.topic = topic;
    this.codec = codec;
    this.#report = options.report;
    this.#maxRejected = options.maxRejected;
    this.#partitions = Array.from({ length: topic.partitions }, () => ({
      arbiter: new Arbiter<Carried<E>>(),
      next: 0,
      lastCommit: undefined,
      rejected: new Set<number>(),
      forgottenBelow: 0,
      unverified: false,
    }));
  }

  /**
   * A target whose content belongs into snapshots of this topic is a `SnapshotPart` too. One that is none would be empty
   * behind a start from a snapshot, so with it the topic has none.
   */
  addTarget(target: FoldTarget<E> | (FoldTarget<E> & SnapshotPart)): void {
    this.#targets.push(target);
    if ('partName' in target) this.#parts.push(target);
    else this.#unkept ??= target.name;
  }

  /** A target that no snapshot can hold; undefined when there is none. */
  get unkept(): string | undefined {
    return this.#unkept;
  }

  addFollower(follower: FoldFollower<E>): void {
    this.#followers.add(follower);
  }

  /** Without effect when it is none. */
  removeFollower(follower: FoldFollower<E>): void {
    this.#followers.delete(follower);
  }

  addListener(listener: EchoListener): void {
    this.#listeners.push(listener);
  }

  head(partition: number, streamId: string): Readonly<StreamHead> | undefined {
    return this.#at(partition).arbiter.head(streamId);
  }

  /** The accepted copy of a commit, as far as its stream remembers. */
  find(
    partition: number,
    head: Readonly<StreamHead> | undefined,
    commit: CommitKey,
  ): (LogPosition & { readonly version: number }) | undefined {
    const recent = recentOf(head, commit);
    return recent && { topic: this.topic.name, partition, offset: recent.offset, version: recent.version };
  }

  *streamIds(): Generator<string> {
    for (const { arbiter } of this.#partitions) yield* arbiter.streamIds();
  }

  progress(partition: number): { readonly next: number; readonly lastCommit: string | undefined };
  progress(): ReadProgress;
  progress(
    partition?: number,
  ): ReadProgress | { readonly next: number; readonly lastCommit: string | undefined } {
    if (partition !== undefined) {
      const { next, lastCommit } = this.#at(partition);
      return { next, lastCommit: lastCommit === undefined ? undefined : fromKey(lastCommit) };
    }
    return { topic: this.topic.name, nextOffsets: this.#partitions.map(({ next }) => next), ...this.#counts };
  }

  /** What a partition's reader waits for instead of folding, as far as it knows. */
  obstacle(partition: number): string | undefined {
    return this.#obstacles.get(partition) ?? this.#obstacles.get(undefined);
  }

  /** Aggregates and views, as parts of a snapshot. */
  get parts(): readonly SnapshotPart[] {
    return this.#parts;
  }

  /** Everything folded so far, put aside at once for a snapshot; undefined while a commit is open. @throws Error with `unkept` */
  freeze(): FrozenFold | undefined {
    if (this.#unkept !== undefined) throw new Error(`${this.#unkept} is no part of a snapshot`);
    return freezeFold(this.#state());
  }

  /**
   * Replaces everything by a snapshot. What it holds counts as folded only when the reader has met its last record again.
   * @throws SnapshotUnusable and then holds nothing.
   */
  adopt(file: SnapshotFile<FoldMeta>): void {
    try {
      if (this.#unkept !== undefined)
        throw new SnapshotUnusable('stale', `${this.#unkept} would be empty behind it`);
      adoptFold(this.#state(), file);
    } catch (error) {
      this.#clear();
      throw error;
    }
    for (const partition of this.#partitions) partition.unverified = partition.next > 0;
  }

  /** Whether the position is folded. @throws RangeError for a partition that the topic does not have */
  hasReached({ partition, offset }: Pick<LogPosition, 'partition' | 'offset'>): boolean {
    const { next, unverified } = this.#at(partition);
    return next > offset && !unverified;
  }

  /** True once the position is folded; false when the deadline passes, or the wait is given up, first. */
  waitFor(position: LogPosition, deadlineMs: number, givenUp?: AbortSignal): Promise<boolean> {
    if (this.hasReached(position)) return Promise.resolve(true);
    return this.#waiters.wait(position.partition, position.offset, deadlineMs, givenUp);
  }

  /**
   * The verdict on a folded offset; undefined while the commit that it belongs to is not complete.
   * @throws RangeError when it is not folded yet or too far back.
   */
  isAccepted(partition: number, offset: number): boolean | undefined {
    const { next, rejected, forgottenBelow, arbiter } = this.#at(partition);
    if (offset >= next) throw new RangeError(`${this.topic.name}/${partition}@${offset} is not folded yet`);
    if (offset < forgottenBelow)
      throw new RangeError(`the verdict on ${this.topic.name}/${partition}@${offset} is forgotten`);
    if (offset >= (arbiter.openFrom ?? next)) return undefined;
    return !rejected.has(offset);
  }

  /** The event at an accepted offset, decoded again for a reaction; undefined when this release does not know it. */
  async recorded(partition: number, raw: RawRecord): Promise<RecordedEvent<E> | undefined> {
    const missing = this.codec.missing(raw.value);
    if (missing !== undefined) await this.codec.prepare(missing);
    return this.#read(partition, raw).event ?? undefined;
  }

  /** Why no reader can read a record; undefined when it can be read, whatever the verdict on it is. */
  async faultOf(partition: number, raw: RawRecord): Promise<string | undefined> {
    const missing = this.codec.missing(raw.value);
    if (missing !== undefined) await this.codec.prepare(missing);
    return this.#read(partition, raw).reason;
  }

  async onRecords(partition: number, records: readonly RawRecord[]): Promise<void> {
    for (const { value } of records) {
      const missing = this.codec.missing(value);
      if (missing === undefined) continue;
      this.onWaiting(partition, `schema ${missing} of the registry`);
      await this.codec.prepare(missing).finally(() => {
        this.onWaiting(partition, undefined);
      });
    }
    const state = this.#at(partition);
    // The reader hands on the record right before `next` only after it has found it to be the one that was folded.
    if (state.unverified && records.some(({ offset }) => Number(offset) === state.next - 1))
      state.unverified = false;
    for (const raw of records) {
      const offset = Number(raw.offset);
      if (offset < state.next) continue; // a re-join delivers again what is folded
      if (offset > state.next) break; // the state was dropped while a schema was fetched; these are read again
      this.#take(partition, state, raw, offset);
      state.next = offset + 1;
    }
    this.#waiters.wake(partition, state.next);
  }

  onWaiting(partition: number | undefined, what: string | undefined): void {
    if (what === undefined) this.#obstacles.delete(partition);
    else this.#obstacles.set(partition, what);
  }

  onDiverged(): void {
    this.#clear();
    for (const listener of this.#listeners) listener.onReset();
  }

  #clear(): void {
    for (const partition of this.#partitions) {
      partition.arbiter.reset();
      partition.next = 0;
      partition.lastCommit = undefined;
      partition.rejected.clear();
      partition.forgottenBelow = 0;
      partition.unverified = false;
    }
    this.#obstacles.clear();
    Object.assign(this.#counts, noCounts);
    for (const target of this.#targets) target.reset();
    for (const follower of this.#followers) follower.reset();
  }

  #state(): Parameters<typeof adoptFold>[0] {
    return {
      topic: this.topic.name,
      partitions: this.#partitions,
      counts: this.#counts,
      parts: this.#parts,
    };
  }

  #take(partition: number, state: Partition<E>, raw: RawRecord, offset: number): void {
    const { header, event, reason } = this.#read(partition, raw);
    state.lastCommit = header?.commit;
    if (reason !== undefined) {
      this.#counts.badRecords++;
      this.#report.badRecord({ topic: this.topic.name, partition, offset }, reason);
    }
    if (header === undefined || raw.key === null) {
      this.#reject(state, [...state.arbiter.breakOpen(), offset]);
      return;
    }
    const streamId = event?.streamId ?? raw.key.toString('utf8');
    const { dropped, judged } = state.arbiter.take({
      offset,
      streamId,
      header,
      event,
      digest: this.codec.digest(raw.value),
    });
    this.#reject(state, dropped);
    if (judged === undefined) return;
    this.#count(judged);
    if (judged.verdict === 'accepted') {
      for (const { event: accepted } of judged.records) {
        if (accepted === undefined || accepted === FOREIGN) this.#counts.skippedTypes++;
        else this.#apply(accepted, partition);
      }
    }
    for (const listener of this.#listeners) {
      try {
        listener.onVerdict(partition, judged);
      } catch (error) {
        // The verdict stands, whatever its listener makes of it; reading the record again would find a duplicate.
        this.#report.failedFold({ topic: this.topic.name, partition, offset }, 'a listener', error);
      }
    }
  }

  /** A fold that throws on an event is a bug of its release; the reader goes on, and says so. */
  #apply(event: LazyRecordedEvent<E>, partition: number): void {
    for (const target of this.#targets) {
      try {
        target.apply(event);
      } catch (error) {
        this.#counts.failedFolds++;
        this.#report.failedFold(event.position, target.name, error);
      }
    }
    for (const follower of this.#followers) follower.apply(event, partition);
  }

  #read(
    partition: number,
    raw: RawRecord,
  ): {
    header: CommitHeader | undefined;
    event: Carried<E> | undefined;
    reason: string | undefined;
  } {
    const header = commitHeaderOf(raw);
    if (header === undefined) return { header, event: undefined, reason: 'no valid commit header' };
    if (raw.key === null) return { header, event: undefined, reason: 'no key' };
    const streamId = raw.key.toString('utf8');
    if (!this.#belongsTo(partition, streamId))
      return { header, event: undefined, reason: 'its key belongs to another partition' };
    const event = this.codec.decode(raw.value);
    if (event === undefined) return { header, event: undefined, reason: 'value is not a readable event' };
    if (event === FOREIGN) return { header, event: FOREIGN, reason: undefined };
    const at = { topic: this.topic.name, partition };
    return {
      header,
      event: new LazyRecordedEvent(event, streamId, at, raw, header),
      reason: undefined,
    };
  }

  /**
   * A stream is in one partition: in a second one it would begin again, and as partitions have no common order, readers
   * would come to different states. Only a stream's first record is looked at: a stream with a head was let in.
   */
  #belongsTo(partition: number, streamId: string): boolean {
    if (this.#at(partition).arbiter.head(streamId) !== undefined) return true;
    return partitionOf(streamId, this.topic.partitions) === partition;
  }

  #count(judged: Judged<unknown>): void {
    switch (judged.verdict) {
      case 'accepted':
        this.#counts.accepted += judged.records.length;
        return;
      case 'conflict':
        this.#counts.conflicts += judged.records.length;
        return;
      case 'duplicate':
        this.#counts.duplicates += judged.records.length;
        return;
      case 'unreadable':
        return; // its bad record was counted when it was read
    }
  }

  #reject(state: Partition<E>, offsets: readonly number[]): void {
    for (const offset of offsets) state.rejected.add(offset);
    while (state.rejected.size > this.#maxRejected) {
      const [oldest] = state.rejected;
      if (oldest === undefined) return;
      state.rejected.delete(oldest);
      state.forgottenBelow = oldest + 1;
    }
  }

  #at(partition: number): Partition<E> {
    const state = this.#partitions[partition];
    if (state === undefined) throw new RangeError(`${this.topic.name} has no partition ${partition}`);
    return state;
  }
}
