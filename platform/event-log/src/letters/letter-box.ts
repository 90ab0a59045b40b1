/**
 * The dead letters of one reaction, as its dead-letter topic tells them: which are open, which streams are parked, what was
 * asked for. Every process of the service reads all of it; only the one that is assigned a partition adds to it.
 */
import type { DeadLetter } from '@parley/delivery';
import { commitOf } from '../log/recorded-event.ts';
import type { NewRecord, RawRecord, TopicListener, Transport } from '../log/transport.ts';
import {
  claimRecord,
  letterRecord,
  letterTopicOf,
  markRecord,
  type LetterContent,
  type MarkKind,
} from './letter.ts';
import { PartitionLetters, writtenLetter, type OpenLetter, type SettledLetter } from './partition-letters.ts';

/** Letters of one reaction that may be open, and their bytes; above it the reaction waits until some are settled. */
const OPEN_MAX = 10_000;
const OPEN_BYTES_MAX = 67_108_864;
/** Settled letters that are still told, and their bytes. */
const SETTLED_MAX = 1_000;
const SETTLED_BYTES_MAX = 16_777_216;
/** Without any record of the partition: a process that starts has all earlier ones to read first. */
const READ_BACK_MS = 10_000;
/** Whatever else is read of the partition meanwhile: a record that was acknowledged may be cut from the log all the same. */
const READ_BACK_MS_MAX = 120_000;

interface Partition {
  next: number;
  lastCommit: string | undefined;
  letters: PartitionLetters;
  /** The last claim that this process has made. */
  ownClaim: string | undefined;
}

export interface LetterBoxOptions {
  readonly topic: { readonly name: string; readonly partitions: number };
  readonly group: string;
  readonly transport: Pick<Transport, 'send'>;
  readonly now: () => number;
}

export class LetterBox implements TopicListener {
  /** Of the dead letters; as many partitions as the origin. */
  readonly topic: { readonly name: string; readonly partitions: number };
  readonly #options: LetterBoxOptions;
  readonly #partitions: Partition[];
  readonly #settled: SettledLetter[] = [];
  readonly #awaited = new Map<string, { readonly resolve: (isLate: boolean) => void }>();
  readonly #sends: Promise<void>[] = [];
  #openBytes = 0;
  #openCount = 0;
  #settledBytes = 0;
  #put = 0;
  #onChange: (partition: number) => void = () => undefined;

  constructor(options: LetterBoxOptions) {
    const { topic, group } = options;
    this.#options = options;
    this.topic = { name: letterTopicOf(topic.name, group), partitions: topic.partitions };
    this.#partitions = Array.from({ length: topic.partitions }, (_, partition) => ({
      next: 0,
      lastCommit: undefined,
      letters: new PartitionLetters(partition),
      ownClaim: undefined,
    }));
  }

  /** Told of each partition in which something has changed, after the change. */
  set onChange(listener: (partition: number) => void) {
    this.#onChange = listener;
  }

  get openCount(): number {
    return this.#openCount;
  }

  /** Letters that this process has written. */
  get put(): number {
    return this.#put;
  }

  /** One sentence while it takes no further letters. */
  get full(): string | undefined {
    if (this.#openCount < OPEN_MAX && this.#openBytes < OPEN_BYTES_MAX) return undefined;
    return `space in ${this.topic.name}, of which ${String(this.#openCount)} letters are open`;
  }

  /** The record has a letter, open or among the last that were settled: what becomes of it is said there. */
  has(partition: number, record: RawRecord): boolean {
    return this.#at(partition).letters.has(record);
  }

  /** The first open letter of a stream, behind which its later events are parked. */
  headOf(partition: number, streamId: string): OpenLetter | undefined {
    return this.#at(partition).letters.headOf(streamId);
  }

  /** What is to be handled now, oldest first: of each stream its first letter at most. */
  due(partition: number): readonly OpenLetter[] {
    const { letters } = this.#at(partition);
    return [...letters.open()].filter((letter) => letters.isDue(letter));
  }

  /** False once it was discarded or settled, and once something newer is asked of it. */
  isStillDue({ origin: { partition }, offset, requested }: OpenLetter): boolean {
    const { letters } = this.#at(partition);
    const now = letters.at(offset);
    return now !== undefined && now.requested?.id === requested?.id && letters.isDue(now);
  }

  *open(): Generator<OpenLetter> {
    for (const { letters } of this.#partitions) yield* letters.open();
  }

  find(id: string): OpenLetter | undefined {
    const [partition, offset] = id.split('-').map(Number);
    return this.#partitions[partition ?? -1]?.letters.at(offset ?? -1);
  }

  get settled(): readonly SettledLetter[] {
    return this.#settled;
  }

  /**
   * Tells all readers that the partition is this process's from here on: what a former member adds later does not count.
   * Resolves once every letter that counts is known here. Rejects when that is not known; doing it again is safe.
   */
  async claim(partition: number): Promise<void> {
    const { id, record } = claimRecord(this.#options.now());
    this.#at(partition).ownClaim = id;
    await this.#append(partition, `claim ${id}`, record);
  }

  /** False once another process has claimed the partition. */
  isClaimed(partition: number): boolean {
    const { ownClaim, letters } = this.#at(partition);
    return ownClaim !== undefined && letters.claim === ownClaim;
  }

  /**
   * Resolves once the letter is in the log and known here. Rejects when that is not known, and when the partition is no
   * longer claimed; doing it again is safe.
   */
  async add(partition: number, raw: RawRecord, error: DeadLetter): Promise<void> {
    const { topic, group, now } = this.#options;
    const { ownClaim: claim } = this.#at(partition);
    if (claim === undefined) throw new Error(`${this.topic.name}/${String(partition)} was not claimed`);
    const origin = { topic: topic.name, partition, group };
    const record = letterRecord(raw, origin, { error, nowMs: now(), claim });
    const isLate = await this.#append(partition, writtenLetter(claim, raw.offset), record);
    if (isLate) throw new Error(`another process has claimed ${this.topic.name}/${String(partition)}`);
    this.#put++;
  }

  /** As `add`: what has become of a letter, or what is asked for. */
  async mark(
    letter: OpenLetter,
    mark: {
      readonly kind: MarkKind;
      readonly why: string;
      readonly value?: Buffer | null;
      readonly answers?: string;
    },
  ): Promise<void> {
    const nowMs = this.#options.now();
    const { id, record } = markRecord(letter.record.key, { ...mark, letter: letter.offset, nowMs });
    await this.#append(letter.origin.partition, `mark ${id}`, record);
  }

  progress(partition: number): { readonly next: number; readonly lastCommit: string | undefined } {
    const { next, lastCommit } = this.#at(partition);
    return { next, lastCommit };
  }

  onRecords(partition: number, records: readonly RawRecord[]): Promise<void> {
    const state = this.#at(partition);
    for (const raw of records) {
      const offset = Number(raw.offset);
      if (offset < state.next) continue;
      if (offset > state.next) break;
      this.#take(state, raw);
      state.next = offset + 1;
      state.lastCommit = commitOf(raw);
    }
    this.#onChange(partition);
    return Promise.resolve();
  }

  onDiverged(): void {
    for (const [partition, state] of this.#partitions.entries()) {
      state.next = 0;
      state.lastCommit = undefined;
      state.letters = new PartitionLetters(partition);
    }
    this.#openBytes = 0;
    this.#openCount = 0;
    this.#settledBytes = 0;
    this.#settled.length = 0;
  }

  #take({ letters }: Partition, raw: RawRecord): void {
    const taken = letters.take(raw);
    if (taken === undefined) return;
    const { written, isLate = false, opened, settled } = taken;
    if (opened !== undefined) {
      this.#openCount++;
      this.#openBytes += bytesOf(opened);
    }
    if (settled !== undefined) this.#settle(settled);
    this.#awaited.get(written)?.resolve(isLate);
  }

  #settle(settled: SettledLetter): void {
    const bytes = bytesOf(settled.letter);
    this.#openCount--;
    this.#openBytes -= bytes;
    this.#settled.push(settled);
    this.#settledBytes += bytes;
    while (this.#settled.length > SETTLED_MAX || this.#settledBytes > SETTLED_BYTES_MAX) {
      const oldest = this.#settled.shift();
      if (oldest === undefined) break;
      this.#settledBytes -= bytesOf(oldest.letter);
    }
  }

  /** One send of a partition at a time, then until it is read back. Resolves with whether it came too late to count. */
  async #append(partition: number, written: string, record: NewRecord): Promise<boolean> {
    const { transport } = this.#options;
    const read = Promise.withResolvers<boolean>();
    this.#awaited.set(written, read);
    const state = this.#at(partition);
    let seen = state.next;
    let waitedMs = 0;
    const timer = setInterval(() => {
      waitedMs += READ_BACK_MS;
      const limitMs = seen === state.next ? READ_BACK_MS : READ_BACK_MS_MAX;
      if (waitedMs >= limitMs)
        read.reject(new Error(`${this.topic.name} was not read back within ${String(limitMs)} ms`));
      seen = state.next;
    }, READ_BACK_MS);
    const before = this.#sends[partition] ?? Promise.resolve();
    const sent = before.then(() => transport.send(this.topic.name, partition, [record]));
    this.#sends[partition] = sent.catch(() => undefined); // told to whoever sent it
    try {
      const [, isLate] = await Promise.all([sent, read.promise]);
      return isLate;
    } finally {
      clearInterval(timer);
      this.#awaited.delete(written);
    }
  }

  #at(partition: number): Partition {
    const state = this.#partitions[partition];
    if (state === undefined) throw new RangeError(`${this.topic.name} has no partition ${String(partition)}`);
    return state;
  }
}

const bytesOf = ({ record }: LetterContent): number =>
  (record.value?.length ?? 0) +
  (record.key?.length ?? 0) +
  (record.headerList?.entries ?? []).reduce(
    (sum, [name, value]) => sum + name.length + (value?.length ?? 0),
    0,
  );
