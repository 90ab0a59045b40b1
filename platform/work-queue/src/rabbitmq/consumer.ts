import { randomUUID } from 'node:crypto';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Logger } from 'pino';
import { attribute, messagingSystems } from '@parley/contracts/telemetry';
import { errorHeaders, messagingMetrics, type AsyncHops, type DeadLetter } from '@parley/delivery';
import { workOn } from '../attempts.ts';
import { awaitedRoom, untilTaken } from '../dead-letters.ts';
import { whileHeld } from '../holding.ts';
import type { LetterSource } from '../letters.ts';
import { PublishError, type ConsumerOptions, type IncomingMessage, type QueueDefinition } from '../ports.ts';
import { kept } from './kept.ts';
import { publishableHeaders } from './publishable.ts';
import type { Session } from './session.ts';

const DEFAULT_PREFETCH = 16;
const DEAD_LETTER_DEADLINE_MS = 10_000;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const incoming = (delivery: ConsumeMessage): Omit<IncomingMessage, 'attempt'> => ({
  messageId: text(delivery.properties.messageId),
  type: text(delivery.properties.type),
  body: delivery.content,
  correlationId: text(delivery.properties.correlationId),
  headers: delivery.properties.headers ?? {},
  redelivered: delivery.fields.redelivered,
});

/** A message that this consumer holds, and until when. */
interface Held {
  readonly session: Session;
  readonly channel: Channel;
  readonly delivery: ConsumeMessage;
  readonly stopping: AbortSignal;
}

/** Where a consumer is, or is about to be. */
interface Attached {
  readonly channel: Channel;
  readonly tag: string;
  readonly session: Session;
  isConsuming: boolean;
}

/** One consumer, over as many sessions as it takes. */
export class Consumer {
  readonly definition: QueueDefinition;
  readonly #options: ConsumerOptions;
  readonly #context: { readonly logger: Logger; readonly hops: AsyncHops };
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #heldBack = 0;
  #attached: Attached | undefined;

  constructor(
    definition: QueueDefinition,
    options: ConsumerOptions,
    context: { readonly logger: Logger; readonly hops: AsyncHops },
  ) {
    this.definition = definition;
    this.#options = options;
    this.#context = context;
  }

  /** Its dead letters, for people. */
  get letterSource(): LetterSource {
    return { definition: this.definition, ...this.#options.letters };
  }

  /** True while the broker delivers to this consumer. */
  get active(): boolean {
    return this.#attached?.isConsuming === true && !this.#attached.session.signal.aborted;
  }

  /** One sentence while messages that are dead wait for room among the dead letters. */
  get awaitedRoom(): string | undefined {
    return awaitedRoom(this.definition.deadLetterQueue, this.#heldBack);
  }

  /** Registers with the broker; the queue must be declared. */
  async attach(session: Session): Promise<void> {
    const channel = await session.channel();
    const { queue } = this.definition;
    const attached: Attached = { channel, tag: randomUUID(), session, isConsuming: false };
    this.#attached = attached;
    await session.answered(this.#prefetch(channel), `consuming ${queue}`);
    if (this.#stopping.signal.aborted) return; // it was cancelled already, before there was anything to cancel
    const consuming = channel.consume(
      queue,
      (delivery) => {
        if (delivery === null) session.fail(new Error(`the broker cancelled the consumer of ${queue}`));
        else this.#take(session, channel, delivery);
      },
      { noAck: false, consumerTag: attached.tag },
    );
    await session.answered(consuming, `consuming ${queue}`);
    attached.isConsuming = true;
  }

  /** How many messages it is handed at a time; an answer also says that the broker has read all that was sent before. */
  #prefetch(channel: Channel): Promise<unknown> {
    return channel.prefetch(this.#options.prefetch ?? DEFAULT_PREFETCH);
  }

  /** Takes no further messages and waits for those being worked on; at the deadline they go back to the queue. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(late.resolve, deadlineMs, undefined);
    await Promise.race([this.#drained(), late.promise]);
    clearTimeout(timer);
  }

  /** Resolves once the broker hands over nothing more and what it handed over is settled. Never rejects. */
  async #drained(): Promise<void> {
    const isHeld = this.#attached?.session.signal.aborted === false;
    const attached = isHeld ? this.#attached : undefined;
    await attached?.channel.cancel(attached.tag).catch(() => undefined); // it may be gone
    await Promise.all(this.#running);
    // amqplib writes the end of a connection ahead of what its channels have still to write.
    if (attached !== undefined) await this.#prefetch(attached.channel).catch(() => undefined);
  }

  #take(session: Session, channel: Channel, delivery: ConsumeMessage): void {
    const working = this.#work(session, channel, delivery)
      .catch((error: unknown) => {
        // The message is not settled: ending the session gives it back.
        this.#context.logger.warn(
          { err: error, queue: this.definition.queue },
          'a message could not be settled',
        );
        session.fail(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => this.#running.delete(working));
    this.#running.add(working);
  }

  #work(session: Session, channel: Channel, delivery: ConsumeMessage): Promise<void> {
    const { heldMsMax } = this.#options;
    return whileHeld({ stopping: [session.signal, this.#stopping.signal], heldMsMax }, (stopping) =>
      this.#settle({ session, channel, delivery, stopping }),
    );
  }

  async #settle(held: Held): Promise<void> {
    const { session, channel, delivery, stopping } = held;
    const settlement = await workOn(this.definition, this.#options, {
      message: incoming(delivery),
      hops: this.#context.hops,
      signal: session.signal,
      stopping,
    });
    if (session.signal.aborted) return; // the broker has already given it to someone else
    switch (settlement.kind) {
      case 'done':
        channel.ack(delivery);
        return;
      case 'released':
        channel.nack(delivery, false, true);
        return;
      case 'dead-letter':
        await this.#bury(held, settlement.letter);
    }
  }

  async #bury(held: Held, letter: DeadLetter): Promise<void> {
    const { session, channel, delivery } = held;
    try {
      const taken = await this.#untilTaken(held, letter);
      if (session.signal.aborted) return; // the broker has already given it to someone else
      // Only now: a crash in between makes a duplicate, never a loss.
      if (taken) channel.ack(delivery);
      else channel.nack(delivery, false, true);
      if (taken) this.#countDead();
    } catch (error) {
      if (!(error instanceof PublishError && error.reason === 'unsendable')) throw error;
      // It cannot be sent with its reason: the broker makes the dead letter then, of what it has. Ending the session over it would give back
      // everything else that is held, until the broker takes all of that for dead as well.
      channel.nack(delivery, false, false);
      this.#countDead();
    }
  }

  #countDead(): void {
    messagingMetrics().deadLetters.add(1, {
      [attribute.messagingSystem]: messagingSystems.rabbitmq,
      [attribute.messagingDestination]: this.definition.queue,
    });
  }

  /**
   * A dead letter that is refused is held back instead of ending the session: that would give back everything else that
   * is held, again and again, until the broker takes all of that for dead as well.
   */
  async #untilTaken({ session, delivery, stopping }: Held, letter: DeadLetter): Promise<boolean> {
    const { queue, deadLetterExchange, deadLetterQueue, routingKey } = this.definition;
    const { messageId, headers, ...properties } = kept(delivery);
    const id = text(messageId);
    this.#context.logger.warn({ queue, messageId: id, reason: letter.reason }, 'a message is a dead letter');
    const outgoing = {
      exchange: deadLetterExchange,
      routingKey,
      body: delivery.content,
      messageId: id,
      properties: {
        ...properties,
        headers: { ...publishableHeaders(headers ?? {}), ...errorHeaders(letter, Date.now()) },
      },
    };
    let heldBack = 0;
    try {
      return await untilTaken({
        send: () => session.confirms.publish(outgoing, DEAD_LETTER_DEADLINE_MS),
        refused: () => {
          heldBack = 1;
          this.#heldBack += 1;
          this.#context.logger.error(
            { queue, deadLetterQueue, messageId: id },
            'the dead-letter queue refuses the letter, as it does when it is full: the message is held back until it is taken',
          );
        },
        stopping,
      });
    } finally {
      this.#heldBack -= heldBack;
    }
  }
}
