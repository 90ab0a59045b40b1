/**
 * The dead letters of one reaction, as its dead-letter topic tells them: which are open, which streams are parked, what was
 * asked for. Every process of the service reads all of it; only the one that is assigned a partition adds to it.
 */
import type { DeadLetter } from '@parley/delivery';
import { commitOf } from '../log/recorded-event.ts';
import type { NewRecord, RawRecord, TopicListener, Transport } from '../log/transport.ts';
import {
  letterRecord,
  letterTopicOf,
  markRecord,
  PARKED,
  readLetter,
  readMark,
  type LetterContent,
  type Mark,
  type MarkKind,
} from './letter.ts';

/** Letters of one reaction that may be open, and their bytes; above it the reaction waits until some are settled. */
const OPEN_MAX = 10_000;
const OPEN_BYTES_MAX = 67_108_864;
/** Settled letters that are still told. */
const SETTLED_MAX = 1_000;
const READ_BACK_MS = 10_000;

export interface OpenLetter extends LetterContent {
  /** Names it in commands: `<partition>-<offset>` in the dead-letter topic. */
  readonly id: string;
  readonly offset: number;
  /** Undefined for one that cannot be decoded: it is no event of a stream, and parks none. */
  readonly streamId: string | undefined;
  /** How often it was redriven and died again, and the last reason. */
  readonly redrives: number;
  readonly lastWhy: string | undefined;
  /** A request to redrive that was not answered yet. */
  readonly requested: Mark | undefined;
}

export interface SettledLetter {
  readonly letter: OpenLetter;
  readonly as: 'redriven' | 'discarded';
  readonly why: string;
  readonly timeMs: number;
}

interface Partition {
  next: number;
  lastCommit: string | undefined;
  /** By offset, ascending. */
  readonly open: Map<number, OpenLetter>;
  /** Offsets by stream, ascending. */
  readonly streams: Map<string, Set<number>>;
  readonly origins: Map<number, number>;
}

export interface LetterBoxOptions {
  readonly topic: { readonly name: string; readonly partitions: number };
  readonly group: string;
  readonly transport: Pick<Transport, 'send' | 'endOffsets'>;
  readonly now: () => number;
}

/** Prefix of the reason of what cannot be decoded. */
export const UNDECODABLE = 'undecodable: ';

export class LetterBox implements TopicListener {
  /** Of the dead letters; as many partitions as the origin. */
  readonly topic: { readonly name: string; readonly partitions: number };
  readonly #options: LetterBoxOptions;
  readonly #partitions: Partition[];
  readonly #settled: SettledLetter[] = [];
  readonly #awaited = new Map<string, () => void>();
  readonly #progressed = new Map<number, Set<() => void>>();
  readonly #sends: Promise<void>[] = [];
  #openBytes = 0;
  #openCount = 0;
  #put = 0;
  #onChange: (partition: number) => void = () => undefined;

  constructor(options: LetterBoxOptions) {
    const { topic, group } = options;
    this.#options = options;
    this.topic = { name: letterTopicOf(topic.name, group), partitions: topic.partitions };
    this.#partitions = Array.from({ length: topic.partitions }, () => ({
      next: 0,
      lastCommit: undefined,
      open: new Map(),
      streams: new Map(),
      origins: new Map(),
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

  /** The first open letter of a stream, behind which its later events are parked. */
  headOf(partition: number, streamId: string): OpenLetter | undefined {
    const { streams, open } = this.#at(partition);
    const [first] = streams.get(streamId) ?? [];
    return first === undefined ? undefined : open.get(first);
  }

  /** What is to be handled now, oldest first: of each stream its first letter at most. */
  due(partition: number): readonly OpenLetter[] {
    const due: OpenLetter[] = [];
    for (const letter of this.#at(partition).open.values()) {
      const isHead = letter.streamId === undefined || this.headOf(partition, letter.streamId) === letter;
      const wasParked = letter.error.reason === PARKED && letter.redrives === 0;
      if (isHead && (wasParked || letter.requested !== undefined)) due.push(letter);
    }
    return due;
  }

  *open(): Generator<OpenLetter> {
    for (const { open } of this.#partitions) yield* open.values();
  }

  find(id: string): OpenLetter | undefined {
    const [partition, offset] = id.split('-').map(Number);
    return this.#partitions[partition ?? -1]?.open.get(offset ?? -1);
  }

  get settled(): readonly SettledLetter[] {
    return this.#settled;
  }

  /** Resolves once everything that was in the partition when this was called is known here. */
  async caughtUp(partition: number, signal: AbortSignal): Promise<void> {
    const end = (await this.#options.transport.endOffsets(this.topic.name))[partition] ?? 0;
    while (this.#at(partition).next < end) {
      signal.throwIfAborted();
      await this.#progress(partition, signal);
    }
  }

  /** Resolves once the letter is in the log and known here. Rejects when that is not known; doing it again is safe. */
  async add(partition: number, raw: RawRecord, error: DeadLetter): Promise<void> {
    const { topic, group, now } = this.#options;
    const record = letterRecord(raw, { topic: topic.name, partition, group }, { error, nowMs: now() });
    await this.#append(partition, `letter ${String(partition)}-${raw.offset}`, record);
    this.#put++;
  }

  /** As `add`: what has become of a letter, or what is asked for. */
  async mark(
    letter: OpenLetter,
    mark: { readonly kind: MarkKind; readonly why: string; readonly value?: Buffer | null },
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
      this.#take(partition, state, raw);
      state.next = offset + 1;
      state.lastCommit = commitOf(raw);
    }
    for (const wake of this.#progressed.get(partition) ?? []) wake();
    this.#onChange(partition);
    return Promise.resolve();
  }

  onDiverged(): void {
    for (const state of this.#partitions) {
      state.next = 0;
      state.lastCommit = undefined;
      state.open.clear();
      state.streams.clear();
      state.origins.clear();
    }
    this.#openBytes = 0;
    this.#openCount = 0;
    this.#settled.length = 0;
  }

  #take(partition: number, state: Partition, raw: RawRecord): void {
    const content = readLetter(raw);
    if (content !== undefined) {
      this.#open(state, partition, raw, content);
      this.#read(`letter ${String(partition)}-${String(content.origin.offset)}`);
      return;
    }
    const mark = readMark(raw);
    if (mark === undefined) return; // whatever else somebody has put there
    this.#marked(state, mark);
    this.#read(`mark ${mark.id}`);
  }

  #open(state: Partition, partition: number, raw: RawRecord, content: LetterContent): void {
    const offset = Number(raw.offset);
    // A member that lost the partition meanwhile may have written it as well.
    if (content.origin.partition !== partition || state.origins.has(content.origin.offset)) return;
    const isEvent = !content.error.reason.startsWith(UNDECODABLE);
    const streamId = isEvent ? raw.key?.toString('utf8') : undefined;
    state.open.set(offset, {
      ...content,
      id: `${String(partition)}-${String(offset)}`,
      offset,
      streamId,
      redrives: 0,
      lastWhy: undefined,
      requested: undefined,
    });
    state.origins.set(content.origin.offset, offset);
    if (streamId !== undefined) {
      const offsets = state.streams.get(streamId) ?? new Set();
      state.streams.set(streamId, offsets.add(offset));
    }
    this.#openCount++;
    this.#openBytes += bytesOf(content);
  }

  #marked(state: Partition, mark: Mark): void {
    const letter = state.open.get(mark.letter);
    if (letter === undefined) return; // it is settled: whatever is asked of it again has no effect
    switch (mark.kind) {
      case 'redrive':
        state.open.set(letter.offset, { ...letter, requested: mark });
        return;
      case 'failed':
        state.open.set(letter.offset, {
          ...letter,
          requested: undefined,
          redrives: letter.redrives + 1,
          lastWhy: mark.why,
        });
        return;
      case 'redriven':
      case 'discarded':
        this.#settle(state, letter, { letter, as: mark.kind, why: mark.why, timeMs: mark.timeMs });
    }
  }

  #settle(state: Partition, letter: OpenLetter, settled: SettledLetter): void {
    state.open.delete(letter.offset);
    state.origins.delete(letter.origin.offset);
    if (letter.streamId !== undefined) {
      const offsets = state.streams.get(letter.streamId);
      offsets?.delete(letter.offset);
      if (offsets?.size === 0) state.streams.delete(letter.streamId);
    }
    this.#openCount--;
    this.#openBytes -= bytesOf(letter);
    this.#settled.push(settled);
    if (this.#settled.length > SETTLED_MAX) this.#settled.shift();
  }

  /** One send of a partition at a time, then until it is read back. */
  async #append(partition: number, awaited: string, record: NewRecord): Promise<void> {
    const { transport } = this.#options;
    const read = Promise.withResolvers<undefined>();
    this.#awaited.set(awaited, () => {
      read.resolve(undefined);
    });
    const timer = setTimeout(() => {
      read.reject(new Error(`${this.topic.name} was not read back within ${String(READ_BACK_MS)} ms`));
    }, READ_BACK_MS);
    const before = this.#sends[partition] ?? Promise.resolve();
    const sent = before.then(() => transport.send(this.topic.name, partition, [record]));
    this.#sends[partition] = sent.catch(() => undefined); // told to whoever sent it
    try {
      await Promise.all([sent, read.promise]);
    } finally {
      clearTimeout(timer);
      this.#awaited.delete(awaited);
    }
  }

  #read(awaited: string): void {
    this.#awaited.get(awaited)?.();
  }

  async #progress(partition: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => {
      resolve(undefined);
    };
    const waiting = this.#progressed.get(partition) ?? new Set();
    this.#progressed.set(partition, waiting.add(wake));
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    signal.removeEventListener('abort', wake);
    waiting.delete(wake);
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
