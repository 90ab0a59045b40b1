/** The dead letters of one partition, folded from the dead-letter topic: every reader comes to the same. */
import { PARKED } from '@parley/delivery';
import { commitOf } from '../log/recorded-event.ts';
import type { RawRecord } from '../log/transport.ts';
import { readClaim, readLetter, readMark, type LetterContent, type Mark } from './letter.ts';

/**
 * Records of a partition that may be handled before their offset is committed. As many letters of the last ones are known
 * for good: a record that is handed out again has its letter among them, settled or not.
 */
export const UNCOMMITTED_MAX = 64;

/** Prefix of the reason of what cannot be decoded. */
export const UNDECODABLE = 'undecodable: ';

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

/** What a record of the topic is, for whoever wrote it, and what it has changed. */
export interface Taken {
  /** `letter <claim> <offset of the origin>`, `mark <id>` or `claim <id>`. */
  readonly written: string;
  /** The letter does not count: its writer has lost the partition. */
  readonly isLate?: boolean;
  readonly opened?: OpenLetter;
  readonly settled?: SettledLetter;
}

export const writtenLetter = (claim: string | undefined, originOffset: number | string): string =>
  `letter ${claim ?? ''} ${String(originOffset)}`;

/** The same offset of a log that was cut holds another record. */
const identityOf = (record: RawRecord): string => `${commitOf(record) ?? ''} ${record.timestamp}`;

export class PartitionLetters {
  readonly #partition: number;
  /** By offset, ascending. */
  readonly #open = new Map<number, OpenLetter>();
  /** Offsets by stream, ascending. */
  readonly #streams = new Map<string, Set<number>>();
  /** Open letters by the offset of their origin. */
  readonly #origins = new Map<number, OpenLetter>();
  /** Identity of the origins of the last letters, by their offset. */
  readonly #recent = new Map<number, string>();
  #claim: string | undefined;

  constructor(partition: number) {
    this.#partition = partition;
  }

  /** The last claim of a member; only letters under it count. */
  get claim(): string | undefined {
    return this.#claim;
  }

  open(): IterableIterator<OpenLetter> {
    return this.#open.values();
  }

  at(offset: number): OpenLetter | undefined {
    return this.#open.get(offset);
  }

  /** The record has a letter, open or among the last that were settled: what becomes of it is said there. */
  has(record: RawRecord): boolean {
    const offset = Number(record.offset);
    const known = this.#origins.get(offset)?.record;
    const identity = identityOf(record);
    return this.#recent.get(offset) === identity || (known !== undefined && identityOf(known) === identity);
  }

  /** The first open letter of a stream, behind which its later events are parked. */
  headOf(streamId: string): OpenLetter | undefined {
    const [first] = this.#streams.get(streamId) ?? [];
    return first === undefined ? undefined : this.#open.get(first);
  }

  /** It is to be handled now: asked for, or only parked, and the first of its stream. */
  isDue(letter: OpenLetter): boolean {
    const isHead = letter.streamId === undefined || this.headOf(letter.streamId) === letter;
    return isHead && (letter.requested !== undefined || wasOnlyParked(letter));
  }

  /** Undefined for whatever else somebody has put there. */
  take(raw: RawRecord): Taken | undefined {
    const claim = readClaim(raw);
    if (claim !== undefined) {
      this.#claim = claim;
      return { written: `claim ${claim}` };
    }
    const content = readLetter(raw);
    if (content !== undefined) return this.#takeLetter(raw, content);
    const mark = readMark(raw);
    return mark === undefined ? undefined : { written: `mark ${mark.id}`, ...this.#takeMark(mark) };
  }

  #takeLetter(raw: RawRecord, content: LetterContent): Taken {
    const { origin, claim, record } = content;
    const written = writtenLetter(claim, origin.offset);
    // Whoever has claimed the partition since may have handled the event, and others behind it.
    if (claim !== undefined && claim !== this.#claim) return { written, isLate: true };
    if (origin.partition !== this.#partition || this.has(record)) return { written }; // a copy
    const offset = Number(raw.offset);
    const isEvent = !content.error.reason.startsWith(UNDECODABLE);
    const streamId = isEvent ? raw.key?.toString('utf8') : undefined;
    const id = `${String(this.#partition)}-${String(offset)}`;
    const opened = {
      ...content,
      id,
      offset,
      streamId,
      redrives: 0,
      lastWhy: undefined,
      requested: undefined,
    };
    this.#put(opened);
    if (streamId !== undefined)
      this.#streams.set(streamId, (this.#streams.get(streamId) ?? new Set()).add(offset));
    this.#recent.delete(origin.offset);
    this.#recent.set(origin.offset, identityOf(record));
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > UNCOMMITTED_MAX && oldest !== undefined) this.#recent.delete(oldest);
    return { written, opened };
  }

  #takeMark(mark: Mark): Pick<Taken, 'settled'> {
    const letter = this.#open.get(mark.letter);
    if (letter === undefined) return {}; // it is settled: whatever is asked of it again has no effect
    switch (mark.kind) {
      case 'redrive':
        // Asked for once more, it is still what somebody has edited that is handled.
        this.#put({
          ...letter,
          requested: { ...mark, value: mark.value ?? letter.requested?.value ?? null },
        });
        return {};
      case 'failed':
        if (answers(mark, letter))
          this.#put({ ...letter, requested: undefined, redrives: letter.redrives + 1, lastWhy: mark.why });
        return {};
      case 'redriven':
      case 'discarded':
        this.#remove(letter);
        return { settled: { letter, as: mark.kind, why: mark.why, timeMs: mark.timeMs } };
    }
  }

  #put(letter: OpenLetter): void {
    this.#open.set(letter.offset, letter);
    this.#origins.set(letter.origin.offset, letter);
  }

  #remove({ offset, origin, streamId }: OpenLetter): void {
    this.#open.delete(offset);
    if (this.#origins.get(origin.offset)?.offset === offset) this.#origins.delete(origin.offset);
    if (streamId === undefined) return;
    const offsets = this.#streams.get(streamId);
    offsets?.delete(offset);
    if (offsets?.size === 0) this.#streams.delete(streamId);
  }
}

const wasOnlyParked = ({ error, redrives }: OpenLetter): boolean => error.reason === PARKED && redrives === 0;

/** An attempt of an earlier request, or of a former member, says nothing about a later one. */
const answers = (mark: Mark, letter: OpenLetter): boolean => {
  if (mark.answers === undefined) return true;
  if (mark.answers === '') return letter.requested === undefined && wasOnlyParked(letter);
  return mark.answers === letter.requested?.id;
};
