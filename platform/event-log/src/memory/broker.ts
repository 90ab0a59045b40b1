/**
 * A log in memory that several logs of one process share, for tests: the same engine on a transport without a
 * network. It can be made to fail: sends that are lost, sends whose acknowledgement is lost, a log cut short.
 */
import { Buffer } from 'node:buffer';
import type { SchemaStore } from '../avro/codec.ts';
import { HeaderList } from '../log/header-list.ts';
import { commitOf } from '../log/recorded-event.ts';
import {
  BatchRefused,
  type GroupBatch,
  type GroupListener,
  type NewRecord,
  type RawRecord,
  type TopicListener,
} from '../log/transport.ts';
import { MemoryLink } from './link.ts';

interface Reader {
  readonly topic: string;
  readonly listener: TopicListener;
  readonly pumping: boolean[];
  /** By partition: the record before where it began was delivered again, as it is the one that was folded. */
  readonly joined: boolean[];
  closed: boolean;
}

interface Group {
  readonly topic: string;
  readonly members: Member[];
  readonly committed: number[];
  /** By a stranger: no member of ours is let in. */
  taken: boolean;
}

interface Member {
  readonly listener: GroupListener;
  assigned: number[];
  /** Counts assignments: what was handed out before the last one is no longer this member's. */
  generation: number;
  readonly busy: Set<number>;
  readonly paused: Set<number>;
  /** What it was handed and has not ended with. */
  readonly underWay: Set<Promise<void>>;
  /** It has failed on a batch, and is handed nothing more before it joins again. */
  failed: boolean;
  active: boolean;
}

/**
 * What to do with the next send: nothing of it is written, it is written and the acknowledgement is lost, it is
 * acknowledged and gone with the end of the log, it is refused for good, or nothing happens to it.
 */
export type SendFault = 'lost' | 'acknowledgement-lost' | 'dropped' | 'refused' | 'none';

/** From the end of a member to its next membership. */
const RESTART_MS = 20;

const storedHeaders = (headers: NewRecord['headers']): Pick<RawRecord, 'headers' | 'headerList'> =>
  headers instanceof HeaderList
    ? { headers: headers.toHeaders(), headerList: headers }
    : {
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]),
        ),
      };

export class MemoryBroker {
  readonly #topics = new Map<string, RawRecord[][]>();
  readonly #readers = new Set<Reader>();
  readonly #groups = new Map<string, Group>();
  readonly #schemas: object[] = [];
  readonly #faults: SendFault[] = [];

  /** The way to the schemas. */
  readonly registry = new MemoryLink();

  readonly schemas: SchemaStore = {
    register: (_subject, schema) => {
      const text = JSON.stringify(schema);
      const known = this.#schemas.findIndex((other) => JSON.stringify(other) === text);
      if (known !== -1) return Promise.resolve(known + 1);
      return Promise.resolve(this.#schemas.push(schema));
    },
    fetch: async (id) => {
      await this.registry.request();
      return this.#schemas[id - 1];
    },
  };

  /** The next sends fail in this way, one fault each. */
  failNextSends(...faults: SendFault[]): void {
    this.#faults.push(...faults);
  }

  /** Cuts a partition to its first `length` records, as a power failure without replicas does. */
  truncate(topic: string, partition: number, length: number): void {
    this.#partition(topic, partition).splice(length);
    for (const state of this.#groups.values()) {
      // What was committed no longer lies there: the group goes through the partition again.
      if (state.topic === topic && (state.committed[partition] ?? 0) > length) state.committed[partition] = 0;
    }
    for (const reader of this.#readers) {
      if (reader.topic !== topic) continue;
      const { next } = reader.listener.progress(partition);
      if (next > length) reader.listener.onDiverged(`${topic}/${partition} was cut to ${length}`);
      for (const [index] of this.#partitions(topic).entries()) this.#pump(reader, index);
    }
  }

  /** A stranger takes all of a group until the function that is answered is called. */
  takeGroup(group: string): () => void {
    const state = this.#groups.get(group);
    if (state === undefined) throw new RangeError(`no group ${group}`);
    state.taken = true;
    this.#rebalance(group);
    return () => {
      state.taken = false;
      this.#rebalance(group);
    };
  }

  /** Appends as a stranger: any bytes, any headers. Answers the offset. */
  appendRaw(topic: string, partition: number, record: Pick<RawRecord, 'key' | 'value' | 'headers'>): number {
    const records = this.#partition(topic, partition);
    records.push({ headers: {}, ...record, offset: String(records.length), timestamp: '0' });
    this.#notify(topic, partition);
    return records.length - 1;
  }

  records(topic: string, partition: number): readonly RawRecord[] {
    return this.#partition(topic, partition);
  }

  ensureTopic(topic: string, partitions: number): void {
    if (!this.#topics.has(topic))
      this.#topics.set(
        topic,
        Array.from({ length: partitions }, () => []),
      );
  }

  endOffsets(topic: string): readonly number[] {
    return this.#partitions(topic).map((records) => records.length);
  }

  send(topic: string, partition: number, batch: readonly NewRecord[]): Promise<void> {
    const fault = this.#faults.shift();
    if (fault === 'lost') return Promise.reject(new Error('connection lost'));
    if (fault === 'dropped') return Promise.resolve();
    if (fault === 'refused') return Promise.reject(new BatchRefused('the broker refuses the batch'));
    const records = this.#partition(topic, partition);
    for (const { key, value, headers } of batch) {
      const offset = String(records.length);
      records.push({
        offset,
        key: key === null ? null : Buffer.from(key),
        value,
        ...storedHeaders(headers),
        timestamp: '0',
      });
    }
    this.#notify(topic, partition);
    return fault === 'acknowledgement-lost'
      ? Promise.reject(new Error('connection lost after the write'))
      : Promise.resolve();
  }

  read(topic: string, listener: TopicListener): () => void {
    const reader: Reader = {
      topic,
      listener,
      pumping: this.#partitions(topic).map(() => false),
      joined: this.#partitions(topic).map(() => false),
      closed: false,
    };
    this.#readers.add(reader);
    const cut = this.#partitions(topic).findIndex(
      (records, partition) => listener.progress(partition).next > records.length,
    );
    if (cut !== -1) listener.onDiverged(`${topic}/${cut} ends before what was folded`);
    for (const [partition] of this.#partitions(topic).entries()) this.#pump(reader, partition);
    return () => {
      reader.closed = true;
      this.#readers.delete(reader);
    };
  }

  join(group: string, topic: string, listener: GroupListener): () => void {
    const state: Group = this.#groups.get(group) ?? {
      topic,
      members: [],
      committed: this.#partitions(topic).map(() => 0),
      taken: false,
    };
    this.#groups.set(group, state);
    const member: Member = {
      listener,
      assigned: [],
      generation: 0,
      busy: new Set(),
      paused: new Set(),
      underWay: new Set(),
      failed: false,
      active: true,
    };
    state.members.push(member);
    this.#rebalance(group);
    return () => {
      member.active = false;
      const index = state.members.indexOf(member);
      if (index === -1) return; // it was to join again
      state.members.splice(index, 1);
      this.#rebalance(group);
    };
  }

  #rebalance(group: string): void {
    const state = this.#groups.get(group);
    if (state === undefined) return;
    for (const [index, member] of state.members.entries()) {
      member.generation++;
      member.listener.onLost();
      member.assigned = [];
      if (state.taken) continue;
      member.assigned = [...state.committed.keys()].filter(
        (partition) => partition % state.members.length === index,
      );
      member.listener.onAssigned(member.assigned);
      for (const partition of member.assigned) void this.#feed(group, member, partition);
    }
  }

  async #feed(group: string, member: Member, partition: number): Promise<void> {
    const state = this.#groups.get(group);
    if (state === undefined || member.busy.has(partition)) return;
    member.busy.add(partition);
    for (;;) {
      const { generation } = member;
      const isActive = (): boolean =>
        member.active && member.generation === generation && member.assigned.includes(partition);
      const from = state.committed[partition] ?? 0;
      const log = this.#partition(state.topic, partition);
      const records = log.slice(from, from + 500);
      if (records.length === 0 || !isActive() || member.failed || member.paused.has(partition)) break;
      const batch: GroupBatch = {
        partition,
        records,
        logEnd: log.length,
        isActive,
        heartbeat: () => Promise.resolve(),
        pause: () => {
          member.paused.add(partition);
          return () => {
            member.paused.delete(partition);
            void this.#feed(group, member, partition);
          };
        },
        commit: (next) => {
          const isOurs = isActive();
          if (isOurs) state.committed[partition] = next;
          return Promise.resolve(isOurs);
        },
      };
      const handling = member.listener.onBatch(batch);
      member.underWay.add(handling);
      try {
        await handling;
      } catch (error) {
        if (!isActive()) continue;
        await this.#restart(group, member, error as Error);
        break;
      } finally {
        member.underWay.delete(handling);
      }
      if ((state.committed[partition] ?? 0) === from && isActive()) break; // closing, or paused
    }
    member.busy.delete(partition);
  }

  /**
   * As on Kafka: a member that throws has ended once all that it was handed has, its partitions go to the others, and it
   * joins again a little later.
   */
  async #restart(group: string, member: Member, why: Error): Promise<void> {
    const state = this.#groups.get(group);
    if (state === undefined || member.failed) return;
    member.failed = true;
    await Promise.allSettled(member.underWay);
    member.failed = false;
    if (!member.active) return;
    member.listener.onLost(why);
    state.members.splice(state.members.indexOf(member), 1);
    member.assigned = [];
    this.#rebalance(group);
    const again = (): void => {
      if (!member.active) return;
      state.members.push(member);
      this.#rebalance(group);
    };
    setTimeout(again, RESTART_MS).unref();
  }

  #notify(topic: string, partition: number): void {
    for (const reader of this.#readers) if (reader.topic === topic) this.#pump(reader, partition);
    for (const [group, state] of this.#groups) {
      if (state.topic !== topic) continue;
      for (const member of state.members)
        if (member.assigned.includes(partition)) void this.#feed(group, member, partition);
    }
  }

  #pump(reader: Reader, partition: number): void {
    if (reader.pumping[partition] === true) return;
    reader.pumping[partition] = true;
    setImmediate(() => void this.#deliver(reader, partition));
  }

  async #deliver(reader: Reader, partition: number): Promise<void> {
    for (;;) {
      const { next, lastCommit } = reader.listener.progress(partition);
      const from = reader.joined[partition] === true ? next : Math.max(0, next - 1);
      const records = this.#partition(reader.topic, partition).slice(from, next + 1000);
      if (records.length === 0 || reader.closed || reader.listener.isDone?.(partition) === true) {
        reader.pumping[partition] = false;
        return;
      }
      const [last] = records;
      if (from < next && (last === undefined || commitOf(last) !== lastCommit)) {
        // As on Kafka, it is found when the partition's first records arrive; others may have been found well before.
        reader.listener.onDiverged(`${reader.topic}/${partition} does not hold what was folded`);
        for (const other of reader.joined.keys()) this.#pump(reader, other);
        continue;
      }
      await reader.listener.onRecords(partition, records);
      reader.joined[partition] = true;
    }
  }

  #partitions(topic: string): RawRecord[][] {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) throw new RangeError(`no topic ${topic}`);
    return partitions;
  }

  #partition(topic: string, partition: number): RawRecord[] {
    const records = this.#partitions(topic)[partition];
    if (records === undefined) throw new RangeError(`${topic} has no partition ${partition}`);
    return records;
  }
}
