/**
 * Every record of a topic with its verdict and why. It feeds the fold that every service feeds, so a verdict here is
 * the verdict there; the reason is read off the stream's head at that moment.
 */
import type { DomainEvent, EventTopic } from '@parley/event-log';
import {
  AvroCodec,
  commitHeaderOf,
  fromKey,
  TopicFold,
  type CommitHeader,
  type Judged,
  type RawRecord,
  type SchemaStore,
  type StreamHead,
} from '@parley/event-log/tools';

/** `incomplete`: the commit was never finished, or the log ends within it. The others are the log's own. */
export type RecordVerdict = 'accepted' | 'conflict' | 'duplicate' | 'unreadable' | 'incomplete';

/** Another commit that decides about this one, as far as the stream remembers it. */
export interface OtherCommit {
  readonly commitId: string;
  /** Offset of its last event; undefined when it is not in reach any more. */
  readonly offset: number | undefined;
  /** The stream's version after it. */
  readonly version: number | undefined;
}

export interface Inspected {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly raw: RawRecord;
  readonly streamId: string | undefined;
  readonly header: CommitHeader | undefined;
  /** Undefined when this release cannot read the record, or does not know its type. */
  readonly event: DomainEvent | undefined;
  readonly verdict: RecordVerdict;
  /** One sentence. */
  readonly why: string;
  /** The commit it lost against, or its accepted copy. */
  readonly other: OtherCommit | undefined;
}

interface Reasoned {
  readonly verdict: RecordVerdict;
  readonly why: string;
  readonly other?: OtherCommit | undefined;
}

interface PartitionState {
  /** Taken and without verdict yet: at most one open commit, and what it leaves behind. */
  readonly pending: Map<number, RawRecord>;
  readonly bad: Map<number, string>;
  /** Commits that lost, for naming the fate of a predecessor. */
  readonly lost: Map<string, number>;
}

/** Commits remembered by partition in order to say why what was chained to them lost as well. */
const LOST_MAX = 10_000;

const shown = (commit: string): string => (commit === '' ? 'none' : fromKey(commit));

export class TopicInspector {
  readonly topic: EventTopic<DomainEvent>;
  readonly #fold: TopicFold<DomainEvent>;
  readonly #partitions: PartitionState[];
  readonly #onInspected: (record: Inspected) => void;

  constructor(
    topic: EventTopic<DomainEvent>,
    schemas: SchemaStore,
    onInspected: (record: Inspected) => void,
  ) {
    this.topic = topic;
    this.#onInspected = onInspected;
    this.#partitions = Array.from({ length: topic.partitions }, () => ({
      pending: new Map<number, RawRecord>(),
      bad: new Map<number, string>(),
      lost: new Map<string, number>(),
    }));
    this.#fold = new TopicFold(topic, new AvroCodec(topic, schemas), {
      maxRejected: 1, // nobody asks here for a verdict that was given
      report: {
        badRecord: ({ partition, offset }, reason) => {
          this.#at(partition).bad.set(offset, reason);
        },
        failedFold: () => undefined, // nothing is folded into here
      },
    });
    this.#fold.addListener({
      onVerdict: (partition, judged) => {
        this.#settle(partition, judged);
      },
      onReset: () => undefined,
    });
  }

  /** Records of one partition, dense, from its begin. Each is told in order, as soon as its verdict is certain. */
  async take(partition: number, records: readonly RawRecord[]): Promise<void> {
    const state = this.#at(partition);
    for (const raw of records) state.pending.set(Number(raw.offset), raw);
    await this.#fold.onRecords(partition, records);
    const last = records.at(-1);
    if (last === undefined || !state.pending.has(Number(last.offset))) return;
    // What is still without verdict is the open commit at the end; everything before it never becomes complete.
    const header = last.key === null ? undefined : commitHeaderOf(last);
    const openFrom = header === undefined ? Number(last.offset) + 1 : Number(last.offset) - header.index;
    this.#abandon(partition, openFrom);
  }

  /** The log ends here: what is still open is told as incomplete. */
  finish(): void {
    for (const partition of this.#partitions.keys()) this.#abandon(partition, Infinity);
  }

  #settle(partition: number, judged: Judged<unknown>): void {
    const [first] = judged.records;
    if (first === undefined) return;
    this.#abandon(partition, first.offset);
    const reasoned = this.#reason(partition, judged);
    for (const { offset, event } of judged.records) {
      const decoded = event instanceof Object && 'event' in event ? (event.event as DomainEvent) : undefined;
      const bad = this.#at(partition).bad.get(offset);
      const isForeign = judged.verdict === 'accepted' && decoded === undefined;
      const why = isForeign
        ? `${reasoned.why}; this release does not know its type or schema, so read models pass over it`
        : reasoned.why;
      this.#tell(
        partition,
        offset,
        bad === undefined ? { ...reasoned, why } : { verdict: 'unreadable', why: bad },
        decoded,
      );
    }
    // A command that lost may be accepted later under the same id: what is chained to it then has not lost by it, nor by
    // a second copy of what was accepted.
    if (judged.verdict === 'accepted') this.#at(partition).lost.delete(judged.header.commit);
    else if (judged.verdict !== 'duplicate') this.#remember(partition, judged.header.commit, first.offset);
  }

  /** Pending records before this offset have no commit that could still be judged. */
  #abandon(partition: number, before: number): void {
    const state = this.#at(partition);
    for (const offset of state.pending.keys()) {
      if (offset >= before) return;
      const bad = state.bad.get(offset);
      this.#tell(
        partition,
        offset,
        bad === undefined
          ? { verdict: 'incomplete', why: 'its commit was never completed in the log' }
          : { verdict: 'unreadable', why: bad },
        undefined,
      );
    }
  }

  #tell(partition: number, offset: number, reasoned: Reasoned, event: DomainEvent | undefined): void {
    const state = this.#at(partition);
    const raw = state.pending.get(offset);
    if (raw === undefined) return;
    state.pending.delete(offset);
    state.bad.delete(offset);
    this.#onInspected({
      topic: this.topic.name,
      partition,
      offset,
      raw,
      streamId: raw.key?.toString('utf8'),
      header: commitHeaderOf(raw),
      event,
      verdict: reasoned.verdict,
      why: reasoned.why,
      other: reasoned.other,
    });
  }

  #reason(partition: number, judged: Judged<unknown>): Reasoned {
    const { header, version, lastOffset } = judged;
    switch (judged.verdict) {
      case 'accepted':
        return {
          verdict: 'accepted',
          why:
            header.base === 0
              ? `complete, and the first commit of its stream`
              : `complete, decided on version ${String(header.base)}, which was the stream's version, after its last commit ${shown(header.previous)}`,
        };
      case 'duplicate': {
        const other = { commitId: fromKey(header.commit), offset: lastOffset, version };
        return {
          verdict: 'duplicate',
          why: `the same commit was accepted before, ending at offset ${String(lastOffset)} as version ${String(version)}`,
          other,
        };
      }
      case 'unreadable':
        return {
          verdict: 'unreadable',
          why: 'another record of its commit cannot be read, so all of it is dropped',
        };
      case 'conflict':
        return this.#lossOf(partition, header, this.#fold.head(partition, judged.streamId));
    }
  }

  #lossOf(partition: number, header: CommitHeader, head: Readonly<StreamHead> | undefined): Reasoned {
    const base = `decided on version ${String(header.base)}`;
    const previousLost = this.#at(partition).lost.get(header.previous);
    if (previousLost !== undefined) {
      return {
        verdict: 'conflict',
        why: `${base}, after commit ${shown(header.previous)}, which itself lost at offset ${String(previousLost)}`,
        other: { commitId: fromKey(header.previous), offset: previousLost, version: undefined },
      };
    }
    if (head === undefined)
      return { verdict: 'conflict', why: `${base}, but nothing was accepted on its stream before` };
    if (header.base === head.version && header.previous === head.last) {
      return {
        verdict: 'conflict',
        why: `${base}, after another attempt of commit ${shown(header.previous)} than the one that was accepted: the histories differ`,
        other: { commitId: fromKey(head.last), offset: undefined, version: head.version },
      };
    }
    // The commit that was accepted on the version that this one was decided on, or on a later one.
    const winner = head.recent
      .filter(({ version }) => version > header.base)
      .reduce<StreamHead['recent'][number] | undefined>(
        (first, commit) => (first === undefined || commit.version < first.version ? commit : first),
        undefined,
      );
    const at = `the stream was at version ${String(head.version)}`;
    if (winner !== undefined) {
      const other = { commitId: fromKey(winner.commit), offset: winner.offset, version: winner.version };
      return {
        verdict: 'conflict',
        why: `${base}, but ${at}: it lost against commit ${other.commitId} at offset ${String(other.offset)}, which made version ${String(other.version)}`,
        other,
      };
    }
    const last = { commitId: fromKey(head.last), offset: undefined, version: head.version };
    return {
      verdict: 'conflict',
      why: `${base} after commit ${shown(header.previous)}, but ${at} after commit ${last.commitId}`,
      other: last,
    };
  }

  #remember(partition: number, commit: string, offset: number): void {
    const { lost } = this.#at(partition);
    lost.set(commit, offset);
    if (lost.size <= LOST_MAX) return;
    const [oldest] = lost.keys();
    if (oldest !== undefined) lost.delete(oldest);
  }

  #at(partition: number): PartitionState {
    const state = this.#partitions[partition];
    if (state === undefined) throw new RangeError(`${this.topic.name} has no partition ${String(partition)}`);
    return state;
  }
}
