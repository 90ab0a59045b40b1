/** The event log of one process, on any transport. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AvroCodec } from '../avro/codec.ts';
import type {
  AggregateDefinition,
  Aggregates,
  DomainEvent,
  EventLog,
  EventLogHealth,
  EventTopic,
  ProjectionDefinition,
  ReactionDefinition,
  View,
} from '../ports.ts';
import type { LogLimits } from './limits.ts';
import { Reactor } from './reactor.ts';
import type { AsyncHops } from './spans.ts';
import { TopicFold } from './topic-fold.ts';
import type { Transport } from './transport.ts';
import { MemoryView } from './view.ts';
import { Writer } from './writer.ts';

export interface LogOptions {
  readonly service: string;
  readonly logger: Logger;
  readonly limits: LogLimits;
  readonly hops: AsyncHops;
  readonly now: () => number;
}

const CLOSE_DEADLINE_MS = 5000;
const CATCH_UP_SLICE_MS = 1000;

/** What the log does with a topic, without its event type. */
interface TopicParts {
  readonly fold: TopicFold<DomainEvent>;
  readonly topic: EventTopic<DomainEvent>;
}

interface AnyWriter {
  open(): void;
  close(): void;
  readonly queued: number;
}

export class TransportLog implements EventLog {
  readonly #transport: Transport;
  readonly #options: LogOptions;
  readonly #topics = new Map<string, TopicParts>();
  readonly #writers = new Map<string, AnyWriter>();
  readonly #reactors: Reactor<DomainEvent>[] = [];
  readonly #closing = new AbortController();
  #phase: 'declared' | 'starting' | 'started' | 'closed' = 'declared';
  #waitingFor: string | undefined = 'start';

  constructor(transport: Transport, options: LogOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  aggregate<S, E extends DomainEvent>(definition: AggregateDefinition<S, E>): Aggregates<S, E> {
    const { limits, service, now } = this.#options;
    if (this.#writers.has(definition.topic.name))
      throw new Error(`${definition.topic.name} has its aggregate already`);
    const fold = this.#fold(definition.topic);
    const writer = new Writer(definition, fold, this.#transport, {
      limits,
      source: `/parley/${service}`,
      now,
    });
    this.#writers.set(definition.topic.name, writer);
    return writer;
  }

  project<Row, E extends DomainEvent>(definition: ProjectionDefinition<Row, E>): View<Row> {
    const fold = this.#fold(definition.topic);
    const view = new MemoryView(definition, {
      progress: () => fold.progress(),
      waitFor: (position, deadlineMs) => fold.waitFor(position, deadlineMs),
    });
    fold.addTarget(view);
    return view;
  }

  react<E extends DomainEvent>(definition: ReactionDefinition<E>): void {
    const fold = this.#fold(definition.topic);
    const reactor = new Reactor(definition, fold, {
      hops: this.#options.hops,
      concurrency: this.#options.limits.reactionConcurrency,
      logger: this.#options.logger,
      signal: this.#closing.signal,
    });
    // A reactor is only ever fed from the fold that it was made with, so its event type may be forgotten here.
    this.#reactors.push(reactor as unknown as Reactor<DomainEvent>);
  }

  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#phase !== 'declared') throw new Error(`the log was ${this.#phase} already`);
    this.#phase = 'starting';
    const signal = AbortSignal.any([
      this.#closing.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    const topics = [...this.#topics.values()];
    this.#waitingFor = 'the log to answer';
    await this.#transport.connect(
      topics.map(({ topic }) => topic),
      signal,
    );
    this.#waitingFor = 'the schema registry';
    for (const { fold, topic } of topics) await fold.codec.register(topic);
    await Promise.all(topics.map((parts) => this.#catchUp(parts, signal)));
    for (const writer of this.#writers.values()) writer.open();
    this.#waitingFor = 'the consumer groups';
    for (const reactor of this.#reactors) {
      await this.#transport.join(reactor.definition.group, reactor.definition.topic.name, reactor);
    }
    this.#waitingFor = undefined;
    this.#phase = 'started';
  }

  health(): EventLogHealth {
    const unjoined = this.#reactors.find((reactor) => !reactor.joined);
    const waitingFor =
      this.#waitingFor ??
      (unjoined === undefined ? undefined : `consumer group ${unjoined.definition.group}`) ??
      (this.#phase === 'closed' ? 'closed' : undefined);
    return {
      ready: this.#phase === 'started' && waitingFor === undefined,
      waitingFor,
      topics: [...this.#topics.values()].map(({ fold }) => fold.progress()),
      reactions: this.#reactors.map((reactor) => reactor.status()),
    };
  }

  async close(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    const deadline = this.#options.now() + (options.deadlineMs ?? CLOSE_DEADLINE_MS);
    this.#closing.abort();
    await this.#transport.leaveGroups();
    const busy = (): boolean => [...this.#writers.values()].some(({ queued }) => queued > 0);
    while (busy() && this.#options.now() < deadline) await pause(10);
    for (const writer of this.#writers.values()) writer.close();
    await this.#transport.close();
  }

  async #catchUp(parts: TopicParts, signal: AbortSignal): Promise<void> {
    const { fold, topic } = parts;
    const ends = await this.#transport.endOffsets(topic.name);
    await this.#transport.read(topic.name, fold);
    for (const [partition, end] of ends.entries()) {
      this.#waitingFor = `${topic.name} to be replayed`;
      const last = { topic: topic.name, partition, offset: end - 1 };
      while (end > 0 && !(await fold.waitFor(last, CATCH_UP_SLICE_MS))) signal.throwIfAborted();
    }
  }

  #fold<E extends DomainEvent>(topic: EventTopic<E>): TopicFold<E> {
    if (this.#phase !== 'declared')
      throw new Error('declare aggregates, projections and reactions before start');
    const known = this.#topics.get(topic.name);
    if (known !== undefined) return known.fold as unknown as TopicFold<E>; // one topic name, one event type
    const fold = new TopicFold(topic, new AvroCodec(topic, this.#transport.schemas), {
      maxRejected: this.#options.limits.maxRejectedOffsets,
      reportBad: (position, reason) => {
        this.#options.logger.error({ ...position, reason }, 'bad record skipped');
      },
    });
    const parts = {
      fold: fold as unknown as TopicFold<DomainEvent>,
      topic: topic as EventTopic<DomainEvent>,
    };
    this.#topics.set(topic.name, parts);
    return fold;
  }
}
