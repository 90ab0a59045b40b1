import { setTimeout as pause } from 'node:timers/promises';
import {
  errorHeaders,
  type AsyncHops,
  type DeadLetterStore,
  type LetterAnswer,
  type LetterSummary,
} from '@parley/delivery';
import { workOn } from '../src/attempts.ts';
import { awaitedRoom, DEAD_LETTERS_MAX, untilTaken } from '../src/dead-letters.ts';
import { whileHeld } from '../src/holding.ts';
import {
  detailOf,
  editedBody,
  idOf,
  markHeaders,
  redriveProblem,
  redrivenHeaders,
  summaryOf,
  type LetterSource,
} from '../src/letters.ts';
import {
  type ConsumerOptions,
  type IncomingMessage,
  type OutgoingMessage,
  PublishError,
  type QueueDefinition,
  type WorkQueue,
} from '../src/ports.ts';
import { producing } from '../src/spans.ts';

type Stored = Omit<IncomingMessage, 'attempt'>;

interface Bound {
  readonly consumer: ConsumerOptions;
  readonly definition: QueueDefinition;
  readonly hops: AsyncHops;
  readonly stopping: AbortController;
  readonly held: Set<Promise<void>>;
  heldBack: number;
}

/** A message that a consumer holds, and until when. */
interface Held {
  readonly bound: Bound;
  readonly message: Stored;
  readonly stopping: AbortSignal;
}

interface Queue {
  readonly definition: QueueDefinition;
  readonly waiting: Stored[];
  readonly consumers: Bound[];
  readonly dead: Stored[];
}

const DEFAULT_PREFETCH = 16;
const CLOSE_DEADLINE_MS = 5_000;

const memoryLetters = (
  sources: () => readonly { readonly queue: Queue; readonly source: LetterSource }[],
  requeue: (queue: Queue, message: Stored) => void,
): DeadLetterStore => {
  const settled: LetterSummary[] = [];
  const settle = (
    id: string,
    as: 'redriven' | 'discarded',
    { why, edited }: { readonly why: string; readonly edited?: unknown },
  ): LetterAnswer => {
    for (const { queue, source } of sources()) {
      const letter = queue.dead.find((each) => idOf(queue.definition, each) === id);
      if (letter === undefined) continue;
      const problem = as === 'redriven' ? redriveProblem(letter) : undefined;
      if (problem !== undefined) return { kind: 'refused', why: problem };
      const next = edited === undefined ? letter : editedBody(source, edited);
      if ('problem' in next) return { kind: 'refused', why: next.problem };
      queue.dead.splice(queue.dead.indexOf(letter), 1);
      const headers = { ...letter.headers, ...markHeaders(as, why, Date.now()) };
      settled.push(summaryOf(source, { ...letter, headers }));
      if (as === 'redriven') requeue(queue, { ...letter, body: next.body, headers: redrivenHeaders(letter) });
      return { kind: 'ok' };
    }
    return { kind: 'not-found' };
  };
  return {
    list: () =>
      Promise.resolve([
        ...sources().flatMap(({ queue, source }) => queue.dead.map((letter) => summaryOf(source, letter))),
        ...settled,
      ]),
    show: (id) => {
      for (const { queue, source } of sources())
        for (const letter of queue.dead)
          if (idOf(queue.definition, letter) === id) return Promise.resolve(detailOf(source, letter));
      return Promise.resolve(undefined);
    },
    redrive: (id, options) => Promise.resolve(settle(id, 'redriven', options)),
    discard: (id, options) => Promise.resolve(settle(id, 'discarded', options)),
  };
};

/** A broker without a process: what is published here is gone with it. One `connect` for every client process. */
export class InMemoryBroker {
  readonly #queues = new Map<string, Queue>();
  #available = true;

  /** A broker that is not available refuses every publish and delivers nothing. */
  set available(value: boolean) {
    this.#available = value;
    if (value) for (const queue of this.#queues.values()) this.#dispatch(queue);
  }

  /** What has become a dead letter of a queue, oldest first. */
  deadLetters(definition: QueueDefinition): readonly Stored[] {
    return this.#queue(definition).dead;
  }

  /** The same, and makes room for others. */
  takeDeadLetters(definition: QueueDefinition): readonly Stored[] {
    return this.#queue(definition).dead.splice(0);
  }

  /** Messages that wait and are held by nobody. */
  waiting(definition: QueueDefinition): number {
    return this.#queue(definition).waiting.length;
  }

  /** Removes the binding, so that messages to the queue have nowhere to go. */
  unbind(definition: QueueDefinition): void {
    this.#queues.delete(definition.queue);
  }

  /** A client process takes one message and dies with it: it waits again, marked as redelivered. */
  crashHolding(definition: QueueDefinition): string | undefined {
    const queue = this.#queue(definition);
    const message = queue.waiting.shift();
    if (message === undefined) return undefined;
    queue.waiting.unshift({ ...message, redelivered: true });
    this.#dispatch(queue);
    return message.messageId;
  }

  /** The work queue of one client process. */
  connect(options: { readonly asyncHops?: AsyncHops } = {}): WorkQueue {
    const hops = options.asyncHops ?? 'child';
    const closing = new AbortController();
    const own: Bound[] = [];
    const awaited = (): string | undefined => {
      const full = own.find(({ heldBack }) => heldBack > 0);
      return full && awaitedRoom(full.definition.deadLetterQueue, full.heldBack);
    };
    const health = (): ReturnType<WorkQueue['health']> => ({
      ready: this.#available && !closing.signal.aborted,
      waitingFor: this.#available ? awaited() : 'the broker in memory',
    });
    return {
      deadLetters: memoryLetters(
        () =>
          own.map(({ definition, consumer }) => ({
            queue: this.#queue(definition),
            source: { definition, ...consumer.letters },
          })),
        (queue, message) => {
          queue.waiting.push(message);
          this.#dispatch(queue);
        },
      ),
      publisher: (definition) => {
        this.#queue(definition);
        return {
          publish: (message) =>
            producing(definition, message, async (headers) => {
              await Promise.resolve(); // as with a broker, never in the same turn
              if (closing.signal.aborted) throw new PublishError('closed', message.messageId);
              this.#store(definition, { ...message, headers });
            }),
        };
      },
      consume: (definition, consumer) => {
        const bound = {
          consumer,
          definition,
          hops,
          stopping: new AbortController(),
          held: new Set<Promise<void>>(),
          heldBack: 0,
        };
        const queue = this.#queue(definition);
        own.push(bound);
        queue.consumers.push(bound);
        this.#dispatch(queue);
      },
      health,
      ready: async ({ signal } = {}) => {
        while (!health().ready) {
          signal?.throwIfAborted();
          await pause(5);
        }
      },
      close: async ({ deadlineMs = CLOSE_DEADLINE_MS } = {}) => {
        closing.abort();
        for (const bound of own) {
          bound.stopping.abort();
          const { consumers } = this.#queue(bound.definition);
          if (consumers.includes(bound)) consumers.splice(consumers.indexOf(bound), 1);
        }
        const held = own.flatMap((bound) => [...bound.held]);
        await Promise.race([Promise.all(held), pause(deadlineMs, undefined, { ref: false })]);
      },
    };
  }

  #queue(definition: QueueDefinition): Queue {
    const known = this.#queues.get(definition.queue);
    if (known !== undefined) return known;
    const queue: Queue = { definition, waiting: [], consumers: [], dead: [] };
    this.#queues.set(definition.queue, queue);
    return queue;
  }

  #store(definition: QueueDefinition, message: OutgoingMessage): void {
    if (!this.#available) throw new PublishError('disconnected', message.messageId);
    const queue = this.#queues.get(definition.queue);
    if (queue === undefined) {
      this.#queue(definition); // declared again for the next message
      throw new PublishError('unroutable', message.messageId);
    }
    const { messageId, type, body, correlationId, headers = {} } = message;
    queue.waiting.push({ messageId, type, body, correlationId, headers, redelivered: false });
    this.#dispatch(queue);
  }

  #dispatch(queue: Queue): void {
    if (!this.#available) return;
    for (const bound of queue.consumers) {
      const prefetch = bound.consumer.prefetch ?? DEFAULT_PREFETCH;
      while (bound.held.size < prefetch && !bound.stopping.signal.aborted) {
        const message = queue.waiting.shift();
        if (message === undefined) return;
        const { heldMsMax } = bound.consumer;
        const working = whileHeld({ stopping: [bound.stopping.signal], heldMsMax }, (stopping) =>
          this.#work(queue, { bound, message, stopping }),
        ).finally(() => {
          bound.held.delete(working);
          this.#dispatch(queue);
        });
        bound.held.add(working);
      }
    }
  }

  async #work(queue: Queue, held: Held): Promise<void> {
    const { bound, message, stopping } = held;
    const delivery = { message, hops: bound.hops, signal: bound.stopping.signal, stopping };
    const settlement = await workOn(bound.definition, bound.consumer, delivery);
    if (settlement.kind === 'released') queue.waiting.unshift({ ...message, redelivered: true });
    if (settlement.kind !== 'dead-letter') return;
    const headers = { ...message.headers, ...errorHeaders(settlement.letter, Date.now()) };
    const letter = { ...message, headers };
    if (!(await this.#bury(queue, held, letter))) queue.waiting.unshift({ ...message, redelivered: true });
  }

  async #bury(queue: Queue, { bound, stopping }: Held, letter: Stored): Promise<boolean> {
    const { deadLettersMax = DEAD_LETTERS_MAX } = bound.definition;
    let heldBack = 0;
    const taken = await untilTaken({
      send: async () => {
        await Promise.resolve(); // as with a broker, never in the same turn
        if (queue.dead.length >= deadLettersMax) throw new PublishError('refused', letter.messageId);
        queue.dead.push(letter);
      },
      refused: () => {
        heldBack = 1;
        bound.heldBack += 1;
      },
      stopping,
    });
    bound.heldBack -= heldBack;
    return taken;
  }
}
