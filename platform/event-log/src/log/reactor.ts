/**
 * Acts on accepted events for one consumer group: verdict first, effect next, offset last. What fails too often goes to the
 * dead letters, and later events of its stream behind it; the offset is committed after the letter is confirmed.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  deliver,
  done,
  messagingMetrics,
  notYet,
  PARKED,
  type AsyncHops,
  type DeadLetter,
  type Failure,
  type RetryPolicy,
  type Verdict,
} from '@parley/delivery';
import { attribute, messagingSystems } from '@parley/contracts/telemetry';
import type { Logger } from 'pino';
import type { LetterBox } from '../letters/letter-box.ts';
import { UNCOMMITTED_MAX, UNDECODABLE, type OpenLetter } from '../letters/partition-letters.ts';
import { Redriver } from '../letters/redriver.ts';
import type {
  DomainEvent,
  LogPosition,
  ReactionDefinition,
  ReactionStatus,
  RecordedEvent,
} from '../ports.ts';
import { unlessAborted } from './bounded-work.ts';
import { Flapping } from './flapping.ts';
import { callKeyOf, HandleCalls } from './handle-calls.ts';
import { Obstacles } from './obstacles.ts';
import type { TopicFold } from './topic-fold.ts';
import type { GroupBatch, GroupListener, RawRecord } from './transport.ts';

const BACKOFF = { firstMs: 100, maxMs: 5000 };
/** For as long as it takes: a letter is written before anything goes on. */
const BURY: RetryPolicy = { attempts: Number.POSITIVE_INFINITY, backoff: BACKOFF };
const AFTER_ERROR_MS = 1000;
const VERDICT_WAIT_MS = 1000;
/** A handle or a pause may last longer than the group waits for a sign of life. */
const HEARTBEAT_MS = 1000;

/** A batch, and a signal that ends when it is no longer this member's. */
interface Turn {
  readonly batch: GroupBatch;
  readonly signal: AbortSignal;
  /** Something is to be tried again: others need not wait for this batch. */
  readonly onSlow: () => void;
}

export interface ReactorOptions {
  readonly hops: AsyncHops;
  readonly concurrency: number;
  readonly attempts: number;
  readonly handleDeadlineMs: number;
  readonly letters: LetterBox;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export class Reactor<E extends DomainEvent> implements GroupListener {
  readonly definition: ReactionDefinition<E>;
  readonly #fold: TopicFold<E>;
  readonly #options: ReactorOptions;
  readonly #calls: HandleCalls<E>;
  readonly #flapping: Flapping;
  readonly #ends = new Map<number, { committed: number; end: number }>();
  #assigned: readonly number[] = [];
  #joined = false;
  #handled = 0;
  readonly #policy: RetryPolicy;
  readonly #redriver: Redriver<E>;
  /** Aborted when the partitions that are assigned now are no longer this member's. */
  #held = new AbortController();
  /** Of the partitions that are assigned now, in their dead letters. */
  #claims = new Map<number, Promise<void>>();
  /** Batches that go on although the consumer was told that they are done: their partitions are paused. */
  readonly #detached = new Set<Promise<void>>();
  #retries = 0;
  readonly #obstacles = new Obstacles();

  constructor(definition: ReactionDefinition<E>, fold: TopicFold<E>, options: ReactorOptions) {
    this.definition = definition;
    this.#fold = fold;
    this.#options = options;
    this.#flapping = new Flapping(() => performance.now()); // a clock that is set back would hold it up
    this.#policy = { attempts: options.attempts, backoff: BACKOFF };
    this.#redriver = new Redriver({
      letters: options.letters,
      policy: this.#policy,
      logger: options.logger,
      claim: (partition) => this.#claim(partition),
      heldBy: (partition) => (this.#assigned.includes(partition) ? this.#signal : undefined),
      eventOf: (letter) => this.#eventOf(letter),
      handle: (event, turn) => this.#call(event, turn),
    });
    options.letters.onChange = (partition) => {
      if (this.#assigned.includes(partition)) this.#redriver.wake(partition);
    };
    this.#calls = new HandleCalls(definition, {
      hops: options.hops,
      deadlineMs: options.handleDeadlineMs,
      onOverdue: (event, attempt, { message }) => {
        const { position } = event;
        const error = `${message}; it is not called again before it ends`;
        this.#obstacles.overdue.set(callKeyOf(event), { position, attempt, error });
        const context = { group: definition.group, ...position, attempt, err: message };
        options.logger.warn(context, 'a reaction takes too long; its signal is aborted');
      },
      onEnded: (event) => {
        this.#obstacles.overdue.delete(callKeyOf(event));
      },
    });
  }

  /** True once its group has let it in, whatever came later. */
  get hasJoined(): boolean {
    return this.#flapping.joins > 0;
  }

  /**
   * Undefined while it is a member of its group and gets on, or tells what holds it up (`obstacle`); else the membership
   * since which this is not so.
   */
  get standsAt(): number | undefined {
    const since = this.#flapping.state?.since;
    if (!this.#joined) return since ?? this.#flapping.joins;
    return this.#obstacles.worst === undefined ? since : undefined;
  }

  /** One sentence: what it waits for while it stands. */
  get awaits(): string {
    const { group } = this.definition;
    const flapping = this.#flapping.state;
    return flapping === undefined
      ? `consumer group ${group} to let this process in again`
      : `the reaction ${group} to get on, whose consumer has ended ${String(flapping.ends)} times in a row`;
  }

  status(): ReactionStatus {
    let lag = 0;
    for (const partition of this.#assigned) {
      const seen = this.#ends.get(partition);
      if (seen === undefined) continue;
      const { next } = this.#fold.progress(partition); // the log goes on while a batch is held up
      lag += Math.max(0, Math.max(seen.end, next) - seen.committed);
    }
    const { group, topic } = this.definition;
    return {
      group,
      topic: topic.name,
      joined: this.#joined,
      assigned: this.#assigned,
      handled: this.#handled,
      lag,
      stalled: this.#obstacles.worst,
      retries: this.#retries,
      deadLetters: this.#options.letters.put,
      openDeadLetters: this.#options.letters.openCount,
    };
  }

  /** The event that it fails on or that takes too long. */
  get obstacle(): string | undefined {
    return this.#obstacles.describe(this.definition.group);
  }

  onAssigned(partitions: readonly number[]): void {
    this.#assigned = partitions;
    this.#joined = true;
    this.#flapping.onJoined(partitions);
    this.#held.abort();
    this.#held = new AbortController();
    this.#claims = new Map();
    this.#obstacles.unclaimed.clear();
    for (const partition of partitions) this.#redriver.wake(partition);
  }

  onLost(why?: Error): void {
    if (why !== undefined) this.#flapping.onEnded();
    this.#assigned = [];
    this.#joined = false;
    this.#held.abort();
    this.#obstacles.unclaimed.clear();
    this.#ends.clear(); // another member goes on from there
  }

  /** Resolves when nothing is under way that the consumer does not wait for. */
  async idle(): Promise<void> {
    await Promise.all([...this.#detached, this.#redriver.idle()]);
  }

  /** Returns when the batch is done, or as soon as something of it is to be tried again: the rest then goes on beside. */
  async onBatch(batch: GroupBatch): Promise<void> {
    const first = batch.records[0];
    if (first !== undefined)
      this.#ends.set(batch.partition, { committed: Number(first.offset), end: batch.logEnd });
    const slow = Promise.withResolvers<'slow'>();
    const work = this.#work(batch, () => {
      slow.resolve('slow');
    });
    const outcome = await Promise.race([work, slow.promise]);
    if (outcome !== 'slow') return;
    const resume = batch.pause();
    const detached = this.#beside(batch, work, resume).finally(() => this.#detached.delete(detached));
    this.#detached.add(detached);
  }

  async #beside({ partition }: GroupBatch, work: Promise<void>, resume: () => void): Promise<void> {
    try {
      await work;
    } catch (error) {
      const context = { group: this.definition.group, partition, err: error };
      this.#options.logger.warn(context, 'a batch could not be ended; it is handed out again');
      await pause(AFTER_ERROR_MS, undefined, { signal: this.#signal }).catch(() => undefined);
    } finally {
      resume();
    }
  }

  async #work(batch: GroupBatch, onSlow: () => void): Promise<void> {
    const lost = new AbortController();
    const ticking = setInterval(() => {
      if (this.#options.signal.aborted) return; // closing: whoever hangs now is given up by the group
      if (!batch.isActive()) lost.abort();
      void batch.heartbeat().catch(() => {
        lost.abort(); // the group re-balances, or is out of reach: whoever is assigned next continues
      });
    }, HEARTBEAT_MS);
    const signal = AbortSignal.any([this.#options.signal, lost.signal]);
    try {
      const claimed = unlessAborted(signal, this.#claim(batch.partition));
      await claimed.catch((error: unknown) => {
        if (signal.aborted) return;
        const offset = Number(batch.records[0]?.offset);
        const position = { topic: this.definition.topic.name, partition: batch.partition, offset };
        if (batch.isActive()) this.#obstacles.onUnclaimed(position, error);
        onSlow(); // made again beside: the other partitions need not wait for it, nor the group re-balance
        throw error;
      });
      this.#obstacles.unclaimed.delete(batch.partition);
      // A process that was stopped for long may have claimed what another one handles: nothing is handled before its group
      // has answered it.
      await batch.heartbeat().catch(() => {
        lost.abort();
      });
      await this.#inChunks({ batch, signal, onSlow });
    } catch (error) {
      this.#flapping.onFailed(batch.partition);
      throw error;
    } finally {
      clearInterval(ticking);
    }
  }

  /** What other members have parked and settled is known before anything is handled, and nothing is added to it behind that. */
  #claim(partition: number): Promise<void> {
    const claims = this.#claims;
    const claim =
      claims.get(partition) ??
      this.#options.letters.claim(partition).catch((error: unknown) => {
        claims.delete(partition);
        throw error;
      });
    claims.set(partition, claim);
    return claim;
  }

  async #inChunks(turn: Turn): Promise<void> {
    const { batch } = turn;
    for (let start = 0; start < batch.records.length; start += UNCOMMITTED_MAX) {
      const chunk = batch.records.slice(start, start + UNCOMMITTED_MAX);
      const done = await this.#chunk(turn, chunk);
      if (!done) return;
      const last = chunk.at(-1);
      if (last === undefined) return;
      const next = Number(last.offset) + 1;
      if (!(await batch.commit(next))) return;
      this.#flapping.onCommitted(batch.partition);
      this.#ends.set(batch.partition, { committed: next, end: Math.max(batch.logEnd, next) });
    }
  }

  /** True when every effect of the chunk is confirmed; false when it was interrupted. */
  async #chunk(turn: Turn, chunk: readonly RawRecord[]): Promise<boolean> {
    const { partition } = turn.batch;
    const { letters } = this.#options;
    const byStream = new Map<string, Delivery<E>[]>();
    for (const raw of chunk) {
      const accepted = await this.#verdict(turn, Number(raw.offset));
      if (accepted === undefined) return false;
      if (!accepted) {
        const fault = await this.#fold.faultOf(partition, raw);
        const isNew = fault !== undefined && !letters.has(partition, raw);
        if (isNew && !(await this.#buryUndecodable(turn, raw, fault))) return false;
        continue;
      }
      const event = await this.#fold.recorded(partition, raw);
      if (event === undefined || this.definition.types?.includes(event.event.type) === false) continue;
      const deliveries = byStream.get(event.streamId) ?? [];
      byStream.set(event.streamId, deliveries);
      deliveries.push({ raw, event });
    }
    const streams = [...byStream.values()];
    let next = 0;
    const worker = async (): Promise<boolean> => {
      while (next < streams.length) {
        const deliveries = streams[next++] ?? [];
        for (const delivery of deliveries) if (!(await this.#handle(turn, delivery))) return false;
      }
      return true;
    };
    const workers = Array.from({ length: Math.min(this.#options.concurrency, streams.length) }, worker);
    return (await Promise.all(workers)).every(Boolean);
  }

  /** Waits for the verdict of the process's own fold. Undefined when interrupted. */
  async #verdict(turn: Turn, offset: number): Promise<boolean | undefined> {
    const { partition } = turn.batch;
    const topic = this.definition.topic.name;
    let upTo = offset;
    while (isActive(turn)) {
      const folded = await this.#fold.waitFor({ topic, partition, offset: upTo }, VERDICT_WAIT_MS);
      const accepted = folded ? this.#fold.isAccepted(partition, offset) : undefined;
      if (accepted !== undefined) return isActive(turn) ? accepted : undefined;
      // Its commit is not complete: the next record decides.
      upTo = folded ? this.#fold.progress(partition).next : offset;
    }
    return undefined;
  }

  async #handle(turn: Turn, { raw, event }: Delivery<E>): Promise<boolean> {
    const { signal } = turn;
    const { letters } = this.#options;
    const { partition } = turn.batch;
    if (letters.has(partition, raw)) return true; // handed out again, before its offset was committed
    const head = letters.headOf(partition, event.streamId);
    if (head !== undefined) {
      const message = `${PARKED} ${head.origin.topic}/${String(head.origin.partition)}@${String(head.origin.offset)}`;
      return this.#bury(turn, raw, { reason: PARKED, errorClass: '', message, attempts: 0 });
    }
    const delivered = await deliver({
      policy: this.#policy,
      stopping: signal,
      handle: (attempt) =>
        isActive(turn) ? this.#call(event, { signal, attempt }) : Promise.resolve(undefined),
      onFailed: (failure) => {
        this.#onFailed(event.position, callKeyOf(event), failure);
        turn.onSlow();
      },
    });
    this.#obstacles.failing.delete(callKeyOf(event)); // released: it is tried again elsewhere, or here in a later turn
    if (delivered.kind === 'done') this.#handled++;
    if (delivered.kind === 'dead-letter') return this.#bury(turn, raw, delivered.letter);
    return delivered.kind === 'done';
  }

  async #call(
    event: RecordedEvent<E>,
    turn: { readonly signal: AbortSignal; readonly attempt: number },
  ): Promise<Verdict | undefined> {
    const outcome = await this.#calls.run(event, turn);
    return outcome === 'left' ? undefined : outcome;
  }

  #buryUndecodable(turn: Turn, raw: RawRecord, fault: string): Promise<boolean> {
    const reason = `${UNDECODABLE}${fault}`;
    return this.#bury(turn, raw, { reason, errorClass: '', message: fault, attempts: 0 });
  }

  /** Writes a dead letter, for as long as it takes. True once it is confirmed; false when interrupted. */
  async #bury(turn: Turn, raw: RawRecord, letter: DeadLetter): Promise<boolean> {
    const { letters, logger } = this.#options;
    const { partition } = turn.batch;
    const position = { topic: this.definition.topic.name, partition, offset: Number(raw.offset) };
    const key = `letter ${String(partition)}-${raw.offset}`;
    const delivered = await deliver({
      policy: BURY,
      stopping: turn.signal,
      handle: async () => {
        if (!isActive(turn)) return undefined;
        if (letters.full !== undefined) return notYet(letters.full);
        // A member that no longer is one may have claimed it late.
        if (!letters.isClaimed(partition)) {
          await letters.claim(partition);
          // This one may be it, and not know yet: its group has to answer before anything counts under the new claim.
          if (!(await isMember(turn))) return undefined;
        }
        if (!isActive(turn)) return undefined;
        await letters.add(partition, raw, letter);
        return done;
      },
      onFailed: (failure) => {
        this.#onFailed(position, key, failure);
        turn.onSlow();
      },
    });
    this.#obstacles.failing.delete(key);
    if (delivered.kind !== 'done') return false;
    const { reason, attempts } = letter;
    messagingMetrics().deadLetters.add(1, {
      [attribute.messagingSystem]: messagingSystems.kafka,
      [attribute.messagingDestination]: position.topic,
    });
    const context = { group: this.definition.group, ...position, reason, attempts };
    logger.warn(context, 'an event is a dead letter');
    return true;
  }

  /** The event of a letter, with the value that it is to be handled with. */
  async #eventOf(letter: OpenLetter): Promise<RecordedEvent<E> | string> {
    const { partition, offset } = letter.origin;
    if (letter.streamId === undefined)
      return 'what cannot be decoded is no event of the history: discard it, and append what it should have been';
    const position = { topic: this.definition.topic.name, partition, offset };
    while (!(await this.#fold.waitFor(position, VERDICT_WAIT_MS))) this.#signal.throwIfAborted();
    if (this.#fold.isAccepted(partition, offset) !== true)
      return 'the log does not hold it as an accepted event';
    const value = letter.requested?.value ?? letter.record.value;
    const event = await this.#fold.recorded(partition, { ...letter.record, value });
    return event ?? 'this release does not know its type';
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#options.signal, this.#held.signal]);
  }

  #onFailed(position: LogPosition, key: string, { attempt, verdict, pauseMs }: Failure): void {
    this.#retries++;
    const error = verdict.kind === 'not-yet' ? verdict.why : verdict.error.message;
    this.#obstacles.failing.set(key, { position, attempt, error });
    const retryMs = Math.round(pauseMs);
    const context = { group: this.definition.group, ...position, attempt, retryMs, err: error };
    this.#options.logger.warn(
      context,
      verdict.kind === 'not-yet'
        ? 'reaction has to wait; it is tried again'
        : 'reaction failed; it is tried again',
    );
  }
}

/** An accepted event with the record that it was read from. */
interface Delivery<E extends DomainEvent> {
  readonly raw: RawRecord;
  readonly event: RecordedEvent<E>;
}

const isMember = ({ batch }: Turn): Promise<boolean> =>
  batch.heartbeat().then(
    () => true,
    () => false,
  );

const isActive = ({ batch, signal }: Turn): boolean => !signal.aborted && batch.isActive();
