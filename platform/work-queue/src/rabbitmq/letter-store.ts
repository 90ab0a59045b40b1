/**
 * Dead letters of the queues that a process consumes, for people. A quorum queue can only be looked at by taking messages
 * and giving them back, so one look at a time; another process that looks meanwhile does not see what this one holds.
 */
import type { DeadLetterStore, LetterAnswer, LetterDetail, LetterSummary } from '@parley/delivery';
import type { Channel, GetMessage } from 'amqplib';
import { DEAD_LETTERS_MAX } from '../dead-letters.ts';
import {
  detailOf,
  idOf,
  lastSettled,
  markHeaders,
  redrivenHeaders,
  redrivesOf,
  REDRIVES_MAX,
  settledQueueOf,
  summaryOf,
  type StoredLetter,
} from '../letters.ts';
import type { QueueDefinition } from '../ports.ts';
import { kept } from './kept.ts';
import { publishableHeaders } from './publishable.ts';
import type { Session } from './session.ts';
import { SETTLED_MAX } from './topology.ts';

const PUBLISH_DEADLINE_MS = 10_000;
const SETTLED_LISTED_MAX = 100;

interface Taken {
  readonly definition: QueueDefinition;
  readonly message: GetMessage;
  readonly letter: StoredLetter;
  readonly channel: Channel;
  readonly session: Session;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const stored = ({ content, properties }: GetMessage): StoredLetter => ({
  messageId: text(properties.messageId),
  type: text(properties.type),
  body: content,
  correlationId: text(properties.correlationId),
  headers: properties.headers ?? {},
});

/** Takes up to so many messages, oldest first, and keeps none of them here; closing the channel gives them back. */
async function* take(channel: Channel, queue: string, max: number): AsyncGenerator<GetMessage> {
  for (let taken = 0; taken < max; taken += 1) {
    const message = await channel.get(queue, { noAck: false });
    if (message === false) return;
    yield message;
  }
}

/** All that a queue of them may hold. */
const lettersMaxOf = ({ deadLettersMax = DEAD_LETTERS_MAX }: QueueDefinition): number => deadLettersMax;

export class RabbitLetters implements DeadLetterStore {
  readonly #definitions: () => readonly QueueDefinition[];
  readonly #session: () => Session | undefined;
  #looking: Promise<unknown> = Promise.resolve();

  constructor(options: {
    readonly definitions: () => readonly QueueDefinition[];
    readonly session: () => Session | undefined;
  }) {
    this.#definitions = options.definitions;
    this.#session = options.session;
  }

  /** @throws Error when the broker is away */
  list(): Promise<readonly LetterSummary[]> {
    return this.#look(async (session) => {
      const letters: LetterSummary[] = [];
      for (const definition of this.#definitions()) {
        const channel = await session.expendable();
        try {
          const { deadLetterQueue } = definition;
          for await (const message of take(channel, deadLetterQueue, lettersMaxOf(definition)))
            letters.push(summaryOf(definition, stored(message)));
          const settled = [];
          for await (const message of take(channel, settledQueueOf(definition), SETTLED_MAX)) {
            const letter = stored(message);
            settled.push({ headers: letter.headers, summary: summaryOf(definition, letter) });
          }
          letters.push(...lastSettled(settled, SETTLED_LISTED_MAX).map(({ summary }) => summary));
        } finally {
          await channel.close();
        }
      }
      return letters;
    });
  }

  async show(id: string): Promise<LetterDetail | undefined> {
    let detail: LetterDetail | undefined;
    await this.#with(id, ({ definition, letter }) => {
      detail = detailOf(definition, letter);
      return Promise.resolve({ kind: 'ok' });
    });
    return detail;
  }

  redrive(
    id: string,
    { why, edited }: { readonly why: string; readonly edited?: unknown },
  ): Promise<LetterAnswer> {
    return this.#with(id, async (taken) => {
      const { definition, message, letter, session } = taken;
      if (redrivesOf(letter) >= REDRIVES_MAX)
        return { kind: 'refused', why: `it was redriven ${String(redrivesOf(letter))} times: discard it` };
      const { exchange, routingKey } = definition;
      const body = edited === undefined ? letter.body : Buffer.from(JSON.stringify(edited));
      const { messageId, ...properties } = kept(message);
      const headers = publishableHeaders(redrivenHeaders(letter));
      // In its queue first: ended in between, the letter is here still, and its repetition has the same id.
      await session.confirms.publish(
        { exchange, routingKey, body, messageId: text(messageId), properties: { ...properties, headers } },
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
    { definition, message, letter, channel, session }: Taken,
    as: 'redriven' | 'discarded',
    why: string,
  ): Promise<void> {
    const { messageId, headers, ...properties } = kept(message);
    await session.confirms.publish(
      {
        exchange: '',
        routingKey: settledQueueOf(definition),
        body: letter.body,
        messageId: text(messageId),
        properties: {
          ...properties,
          headers: { ...publishableHeaders(headers ?? {}), ...markHeaders(as, why, Date.now()) },
        },
      },
      PUBLISH_DEADLINE_MS,
    );
    channel.ack(message);
  }

  #with(id: string, work: (taken: Taken) => Promise<LetterAnswer>): Promise<LetterAnswer> {
    return this.#look(async (session) => {
      for (const definition of this.#definitions()) {
        if (!id.startsWith(`${definition.queue}:`)) continue;
        const channel = await session.expendable();
        try {
          const { deadLetterQueue } = definition;
          for await (const message of take(channel, deadLetterQueue, lettersMaxOf(definition))) {
            const letter = stored(message);
            if (idOf(definition, letter) === id)
              return await work({ definition, message, letter, channel, session });
          }
        } finally {
          await channel.close();
        }
      }
      return { kind: 'not-found' };
    });
  }

  #look<T>(look: (session: Session) => Promise<T>): Promise<T> {
    const looking = this.#looking
      .catch(() => undefined) // of the one before
      .then(() => {
        const session = this.#session();
        if (session === undefined) throw new Error('the broker is away');
        return look(session);
      });
    this.#looking = looking;
    return looking;
  }
}
