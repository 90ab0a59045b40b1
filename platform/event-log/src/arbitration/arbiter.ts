/**
 * The rule of docs/adr/0001, for one partition: fold in log order; accept a commit if it is complete, its base
 * version equals the stream's version, and its predecessor is the stream's last accepted commit, reached through the
 * same history. Reads nothing but the log, so every reader reaches the same verdict. Pure: no I/O, no clock.
 */
import { LayeredMap } from '../snapshot/layered-map.ts';
import { contentOf, historyAfter, NO_HISTORY, type CommitHeader, type CommitKey } from './commit-header.ts';

/** Recent commits that a stream remembers in order to name a duplicate. */
export const RECENT_COMMITS = 64;

export type Verdict = 'accepted' | 'conflict' | 'duplicate' | 'unreadable';

/** One record as the arbiter sees it. `event` is undefined when the record could not be decoded. */
export interface ArbiterRecord<T> {
  readonly offset: number;
  readonly streamId: string;
  readonly header: CommitHeader;
  readonly event: T | undefined;
  /** See `valueDigest`. */
  readonly digest: number;
}

export interface Recent {
  readonly commit: CommitKey;
  readonly version: number;
  readonly offset: number;
}

export interface StreamHead {
  version: number;
  last: CommitKey;
  /** Digest of all accepted commits: see `historyAfter`. */
  history: number;
  /** Ring of the last commits; the slot of the n-th accepted commit is n mod RECENT_COMMITS. */
  readonly recent: Recent[];
  commits: number;
}

/** A commit that is complete, with its verdict. `version` and `lastOffset` are those of the accepted copy. */
export interface Judged<T> {
  readonly verdict: Verdict;
  readonly streamId: string;
  readonly header: CommitHeader;
  readonly records: readonly ArbiterRecord<T>[];
  readonly version: number;
  readonly lastOffset: number;
  /** See `contentOf`. */
  readonly content: number;
}

const NONE: readonly number[] = [];

/** The accepted copy of a commit, as far as its stream remembers. */
export function recentOf(head: Readonly<StreamHead> | undefined, commit: CommitKey): Recent | undefined {
  if (head !== undefined) for (const recent of head.recent) if (recent.commit === commit) return recent;
  return undefined;
}

export class Arbiter<T> {
  /** Where each stream stands. Not to be changed from outside, but for a snapshot to be written of it or adopted. */
  readonly streams = new LayeredMap<StreamHead>();
  #open: ArbiterRecord<T>[] = [];

  /**
   * Takes the next record. `dropped` lists offsets that can never be part of an accepted commit any more;
   * `judged` is the commit that this record completes.
   */
  take(record: ArbiterRecord<T>): {
    readonly dropped: readonly number[];
    readonly judged: Judged<T> | undefined;
  } {
    const open = this.#open;
    if (open.length === 0 && record.header.index === 0 && record.header.size === 1) {
      const judged = this.#judge([record]); // a commit of one event, as most are
      return { dropped: judged.verdict === 'accepted' ? NONE : [record.offset], judged };
    }
    const first = open[0];
    const continues =
      record.header.commit === first?.header.commit &&
      record.header.index === open.length &&
      record.header.size === first.header.size &&
      record.header.base === first.header.base &&
      record.header.previous === first.header.previous &&
      record.header.history === first.header.history &&
      record.streamId === first.streamId;
    let dropped = NONE;
    if (continues) {
      open.push(record);
    } else {
      dropped = this.breakOpen();
      if (record.header.index !== 0) return { dropped: [...dropped, record.offset], judged: undefined };
      this.#open = [record];
    }
    if (this.#open.length < record.header.size) return { dropped, judged: undefined };
    const judged = this.#judge(this.#open);
    this.#open = [];
    if (judged.verdict === 'accepted') return { dropped, judged };
    return { dropped: [...dropped, ...judged.records.map(({ offset }) => offset)], judged };
  }

  /** A record that is no commit record interrupts an open commit: its records are dropped. */
  breakOpen(): readonly number[] {
    if (this.#open.length === 0) return NONE;
    const offsets = this.#open.map(({ offset }) => offset);
    this.#open = [];
    return offsets;
  }

  /** Where a stream stands; undefined when nothing was accepted on it. */
  head(streamId: string): Readonly<StreamHead> | undefined {
    return this.streams.get(streamId);
  }

  /** The offset of the first record of the commit that is not complete yet; undefined between commits. */
  get openFrom(): number | undefined {
    return this.#open[0]?.offset;
  }

  streamIds(): Iterable<string> {
    return this.streams.keys();
  }

  reset(): void {
    this.streams.clear();
    this.#open = [];
  }

  #judge(records: readonly ArbiterRecord<T>[]): Judged<T> {
    const [first] = records;
    const lastOffset = records.at(-1)?.offset;
    if (first === undefined || lastOffset === undefined) throw new Error('a commit without records');
    const { streamId, header } = first;
    const head = this.streams.get(streamId);
    const version = head?.version ?? 0;
    const content = contentOf(records.map(({ digest }) => digest));
    const answer = { streamId, header, records, content };
    if (records.some(({ event }) => event === undefined))
      return { verdict: 'unreadable', ...answer, version, lastOffset };
    const earlier = recentOf(head, header.commit);
    if (earlier !== undefined)
      return { verdict: 'duplicate', ...answer, version: earlier.version, lastOffset: earlier.offset };
    const { base, previous, history = head?.history ?? NO_HISTORY } = header;
    if (base !== version || previous !== (head?.last ?? '') || history !== (head?.history ?? NO_HISTORY))
      return { verdict: 'conflict', ...answer, version, lastOffset };
    this.#accept({ exists: head !== undefined, streamId, header, content, offset: lastOffset });
    return { verdict: 'accepted', ...answer, version: version + header.size, lastOffset };
  }

  #accept(accepted: {
    readonly exists: boolean;
    readonly streamId: string;
    readonly header: CommitHeader;
    readonly content: number;
    readonly offset: number;
  }): void {
    const { exists, streamId, header, content, offset } = accepted;
    const head = exists
      ? this.streams.own(streamId, (shared) => ({ ...shared, recent: [...shared.recent] }))
      : undefined;
    const version = header.base + header.size;
    const recent = { commit: header.commit, version, offset };
    if (head === undefined) {
      const history = historyAfter(NO_HISTORY, header.commit, content);
      this.streams.set(streamId, { version, last: header.commit, history, recent: [recent], commits: 1 });
      return;
    }
    head.version = version;
    head.last = header.commit;
    head.history = historyAfter(head.history, header.commit, content);
    head.recent[head.commits % RECENT_COMMITS] = recent;
    head.commits++;
  }
}
