/** Dead letters of the queues that a process consumes, for people. One look at a time (letter-look.ts). */
import type { DeadLetterStore, LetterAnswer, LetterDetail, LetterSummary } from '@parley/delivery';
import type { ConsumeMessage, Message } from 'amqplib';
import { DEAD_LETTERS_MAX } from '../dead-letters.ts';
import {
  detailOf,
  editedBody,
  idOf,
  lastSettled,
  markHeaders,
  redriveProblem,
  redrivenHeaders,
  settledQueueOf,
  summaryOf,
  type LetterSource,
  type StoredLetter,
} from '../letters.ts';
import type { QueueDefinition } from '../ports.ts';
import { kept } from './kept.ts';
import { giveBack, LetterLook, takeAll } from './letter-look.ts';
import { publishableHeaders } from './publishable.ts';
import type { Session } from './session.ts';
import { SETTLED_MAX } from './topology.ts';

const PUBLISH_DEADLINE_MS = 10_000;
const SETTLED_LISTED_MAX = 100;
/** Whoever redrives many asks for one after the other: a look that is begun again for each would take all of them each time. */
const LOOK_KEPT_MS = 2_000;

interface Taken {
  readonly id: string;
  readonly source: LetterSource;
  readonly message: ConsumeMessage;
  readonly letter: StoredLetter;
  readonly look: LetterLook;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const stored = ({ content, properties }: Message): StoredLetter => ({
  messageId: text(properties.messageId),
  type: text(properties.type),
  body: content,
  correlationId: text(properties.correlationId),
  headers: properties.headers ?? {},
});

/** All that a queue of them may hold. */
const lettersMaxOf = ({ deadLettersMax = DEAD_LETTERS_MAX }: QueueDefinition): number => deadLettersMax;

export class RabbitLetters implements DeadLetterStore {
  readonly #sources: () => readonly LetterSource[];
  readonly #session: () => Session | undefined;
  #looking: Promise<unknown> = Promise.resolve();
  #kept: { readonly look: LetterLook; readonly timer: NodeJS.Timeout } | undefined;

  constructor(options: {
    readonly sources: () => readonly LetterSource[];
    readonly session: () => Session | undefined;
  }) {
    this.#sources = options.sources;
    this.#session = options.session;
  }

  /** @throws Error when the broker is away */
  list(): Promise<readonly LetterSummary[]> {
    return this.#inTurn(async (session) => {
      await this.#giveBack();
      const letters: LetterSummary[] = [];
      for (const source of this.#sources()) {
        const { definition } = source;
        const channel = await session.expendable();
        try {
          const open = { queue: definition.deadLetterQueue, max: lettersMaxOf(definition) };
          await takeAll(session, channel, open, (message) =>
            letters.push(summaryOf(source, stored(message))),
          );
          const settled: { readonly headers: StoredLetter['headers']; readonly summary: LetterSummary }[] =
            [];
          const marked = { queue: settledQueueOf(definition), max: SETTLED_MAX };
          await takeAll(session, channel, marked, (message) => {
            const letter = stored(message);
            settled.push({ headers: letter.headers, summary: summaryOf(source, letter) });
          });
          letters.push(...lastSettled(settled, SETTLED_LISTED_MAX).map(({ summary }) => summary));
        } finally {
          await giveBack(session, channel);
        }
      }
      return letters;
    });
  }

  async show(id: string): Promise<LetterDetail | undefined> {
    let detail: LetterDetail | undefined;
    await this.#with(id, ({ source, letter }) => {
      detail = detailOf(source, letter);
      return Promise.resolve({ kind: 'ok' });
    });
    return detail;
  }

  redrive(
    id: string,
    { why, edited }: { readonly why: string; readonly edited?: unknown },
  ): Promise<LetterAnswer> {
    return this.#with(id, async (taken) => {
      const { source, message, letter, look } = taken;
      const problem = redriveProblem(letter);
      if (problem !== undefined) return { kind: 'refused', why: problem };
      const next = edited === undefined ? letter : editedBody(source, edited);
      if ('problem' in next) return { kind: 'refused', why: next.problem };
      const { exchange, routingKey } = source.definition;
      const { messageId, ...properties } = kept(message);
      const headers = publishableHeaders(redrivenHeaders(letter));
      // In its queue first: ended in between, the letter is here still, and its repetition has the same id.
      await look.session.confirms.publish(
        {
          exchange,
          routingKey,
          body: next.body,
          messageId: text(messageId),
          properties: { ...properties, headers },
        },
        PUBLISH_DEADLINE_MS,
      );
      await this.#settle(taken, 'redriven', why);
      return { kind: 'ok' };
    });
  }

  discard(id: string, { why }: { readonly why: string }): Promise<LetterAnswer> {
    return this.#with(id, async (taken) => {
      await this.#settle(taken, 'discarded', why);
      return { kind: 'ok' };
    });
  }

  /** Keeps the original with a mark, then takes it from the open ones. */
  async #settle(
    { id, source, message, letter, look }: Taken,
    as: 'redriven' | 'discarded',
    why: string,
  ): Promise<void> {
    const { messageId, headers, ...properties } = kept(message);
    await look.session.confirms.publish(
      {
        exchange: '',
        routingKey: settledQueueOf(source.definition),
        body: letter.body,
        messageId: text(messageId),
        properties: {
          ...properties,
          headers: { ...publishableHeaders(headers ?? {}), ...markHeaders(as, why, Date.now()) },
        },
      },
      PUBLISH_DEADLINE_MS,
    );
    look.settle(id, message);
  }

  #with(id: string, work: (taken: Taken) => Promise<LetterAnswer>): Promise<LetterAnswer> {
    return this.#inTurn(async (session) => {
      const source = this.#sources().find(({ definition }) => id.startsWith(`${definition.queue}:`));
      if (source === undefined) return { kind: 'not-found' };
      const look = await this.#lookFor(id, source, session);
      try {
        const message = look.find(id);
        if (message === undefined) return { kind: 'not-found' };
        return await work({ id, source, message, letter: stored(message), look });
      } finally {
        this.#keep(look);
      }
    });
  }

  /** The look that is kept, if it holds the letter; else a new one. */
  async #lookFor(id: string, source: LetterSource, session: Session): Promise<LetterLook> {
    const { definition } = source;
    const { deadLetterQueue: queue } = definition;
    const before = this.#kept?.look;
    if (before?.isOpen === true && before.queue === queue && before.find(id) !== undefined) return before;
    await this.#giveBack();
    return LetterLook.open(session, {
      queue,
      max: lettersMaxOf(definition),
      idOf: (message) => idOf(definition, stored(message)),
      wanted: id,
    });
  }

  #keep(look: LetterLook): void {
    clearTimeout(this.#kept?.timer);
    const timer = setTimeout(() => {
      void this.#queue(() => this.#giveBack());
    }, LOOK_KEPT_MS).unref();
    this.#kept = { look, timer };
  }

  async #giveBack(): Promise<void> {
    clearTimeout(this.#kept?.timer);
    const look = this.#kept?.look;
    this.#kept = undefined;
    await look?.close();
  }

  #inTurn<T>(look: (session: Session) => Promise<T>): Promise<T> {
    return this.#queue(() => {
      const session = this.#session();
      if (session === undefined) throw new Error('the broker is away');
      return look(session);
    });
  }

  #queue<T>(next: () => Promise<T>): Promise<T> {
    const looking = this.#looking.catch(() => undefined).then(next); // whatever became of the one before
    this.#looking = looking;
    return looking;
  }
}
