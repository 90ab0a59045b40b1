/** What the feature suite needs of an adapter: logs on one broker, and the faults that the real world has. */
import { randomUUID } from 'node:crypto';
import { done } from '@parley/delivery';
import type { Logger } from 'pino';
import { afterEach } from 'vitest';
import type { LogLimits } from '../src/log/limits.ts';
import type { RawRecord } from '../src/log/transport.ts';
import type { Aggregates, EventLog, EventTopic, RecordedEvent, View } from '../src/ports.ts';
import { counted, countedTopic, counterOf, sumsOf, type Counted, type Sum } from './counter.ts';

/** How long is waited for what is to happen: far longer than it takes on the slowest machine. */
export const WAIT_MS_MAX = 120_000;
/** Of a test, which waits several times. */
export const TEST_MS_MAX = 5 * WAIT_MS_MAX;

/** Of an append that is to be accepted: the deadline is a test's own where it is about one. */
export const echoLimits: Pick<LogLimits, 'echoDeadlineMs'> = { echoDeadlineMs: WAIT_MS_MAX / 2 };

/** The way between one log and the broker. */
export interface Link {
  /** From now on what the log asks (and so nothing is written) or what the broker answers does not arrive. */
  hold(what: 'requests' | 'answers'): void;
  /** What was held arrives, in order. */
  release(): void;
}

export interface OpenOptions {
  readonly limits?: Partial<LogLimits>;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Default: no snapshots. */
  readonly snapshotDir?: string;
}

export interface Harness {
  readonly open: (options: OpenOptions) => { readonly log: EventLog; readonly link: Link };
  /** Appends as a stranger: any bytes, any headers. Answers the offset. */
  readonly appendRaw: (
    topic: string,
    partition: number,
    record: Pick<RawRecord, 'key' | 'value'> & { readonly headers?: Readonly<Record<string, Buffer>> },
  ) => Promise<number>;
  /** Cuts a partition to its first `length` records, as a power failure without replicas does. */
  readonly truncate: (topic: string, partition: number, length: number) => Promise<void>;
  /** Between all logs and the schema registry. */
  readonly registry: Link;
  /** A stranger takes all of a consumer group as soon as it can, until the function that is answered is called. */
  readonly takeGroup: (group: string, topic: string) => Promise<() => Promise<void>>;
  /** Answers the id of a schema, under any subject and without asking for compatibility. */
  readonly registerSchema: (subject: string, schema: object) => Promise<number>;
  readonly stop: () => Promise<void>;
}

export interface Node {
  readonly log: EventLog;
  readonly link: Link;
  readonly counters: Aggregates<number, Counted>;
  readonly sums: View<Sum>;
}

export interface NodeOptions extends OpenOptions {
  readonly react?: (event: RecordedEvent<Counted>, signal: AbortSignal) => Promise<void>;
  readonly group?: string;
}

/** Everything that a test opened, closed behind it. */
export class Nodes {
  readonly #make: () => Promise<Harness>;
  #harness: Harness | undefined;
  #logs: EventLog[] = [];

  constructor(make: () => Promise<Harness>) {
    this.#make = make;
    afterEach(async () => {
      for (const log of this.#logs.splice(0)) await log.close();
      await this.#harness?.stop();
      this.#harness = undefined;
    });
  }

  async harness(): Promise<Harness> {
    this.#harness ??= await this.#make();
    return this.#harness;
  }

  /** A log that is not started, for tests with declarations of their own. */
  async open(options: OpenOptions = {}): Promise<{ readonly log: EventLog; readonly link: Link }> {
    const limits = { ...echoLimits, ...options.limits };
    const opened = (await this.harness()).open({ ...options, limits });
    this.#logs.push(opened.log);
    return opened;
  }

  /** A started log with the counter, its read model and perhaps a reaction. */
  async node(topic: EventTopic<Counted>, options: NodeOptions = {}): Promise<Node> {
    const { log, link } = await this.open(options);
    const counters = log.aggregate(counterOf(topic));
    const sums = log.project(sumsOf(topic));
    const { react, group = 'g' } = options;
    if (react !== undefined) {
      const handle = async (event: RecordedEvent<Counted>, { signal }: { readonly signal: AbortSignal }) => {
        await react(event, signal);
        return done;
      };
      log.react({ group: `${topic.name}.${group}`, topic, handle });
    }
    await log.start();
    return { log, link, counters, sums };
  }
}

export const metadata = { correlationId: 'suite' };

export const freshTopic = (): EventTopic<Counted> => countedTopic(`suite.${randomUUID()}`);

export interface RunOptions {
  readonly commandId?: string;
  readonly deadlineMs?: number;
}

/** Adds to a counter. */
export const run = (
  counters: Aggregates<number, Counted>,
  streamId: string,
  by: number,
  options: RunOptions = {},
) =>
  counters.execute({
    streamId,
    commandId: options.commandId ?? randomUUID(),
    decide: () => ({ kind: 'events', events: [counted(by)] }),
    metadata,
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
  });
