import { setTimeout as pause } from 'node:timers/promises';
import { NotYet, type ConsumerOptions, type IncomingMessage, type QueueDefinition } from './ports.ts';
import { type AsyncHops, consuming } from './spans.ts';

const DEFAULT_ATTEMPTS = 3;
const DEFAULT_RETRY_DELAY_MS = 200;
const MAX_RETRY_DELAY_MS = 10_000;
const MAX_ERROR_TEXT = 500;

/** Why a message is dead, in the headers of its dead letter. */
export type DeadLetterHeaders = Readonly<Record<string, string>>;

/** What a queue is to do with a delivery that was worked on. */
export type Settlement =
  | { readonly kind: 'ack' }
  /** `headers` are added to those of the message. */
  | { readonly kind: 'dead-letter'; readonly headers: DeadLetterHeaders }
  /** Given back untouched: the consumer stops or has lost its connection. */
  | { readonly kind: 'release' };

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Reasons may quote a message: as a header it is one line, and short, as a frame of headers has a largest size. */
const headerText = (text: string): string => text.slice(0, MAX_ERROR_TEXT).replaceAll(/\p{Cc}/gu, ' ');

const deadLetter = (reason: string, message: string, attempts: number): Settlement => ({
  kind: 'dead-letter',
  headers: {
    'x-error-reason': headerText(reason),
    'x-error-message': headerText(message),
    'x-error-attempts': String(attempts),
  },
});

/**
 * Calls the handler, again with growing pauses while it rejects: `attempts` times at most, and as often as it rejects
 * with `NotYet`. Never rejects. An abort ends the pauses: the message is then released.
 */
export const workOn = async (
  definition: QueueDefinition,
  consumer: ConsumerOptions,
  delivery: {
    readonly message: Omit<IncomingMessage, 'attempt'>;
    readonly hops: AsyncHops;
    /** Aborts when the message is no longer held: the handler may stop. */
    readonly signal: AbortSignal;
    /** Aborts when no further attempt is to be made. */
    readonly stopping: AbortSignal;
  },
): Promise<Settlement> => {
  const { hops, signal, stopping } = delivery;
  const attempts = consumer.attempts ?? DEFAULT_ATTEMPTS;
  let failures = 0;
  let delayMs = consumer.retryDelayMs ?? DEFAULT_RETRY_DELAY_MS;
  for (let attempt = 1; ; attempt += 1) {
    const message: IncomingMessage = { ...delivery.message, attempt };
    try {
      const fn = (): ReturnType<ConsumerOptions['handle']> => consumer.handle(message, { signal });
      const verdict = await consuming(definition, message, { hops, fn });
      if (verdict === 'ack') return { kind: 'ack' };
      return deadLetter(verdict.deadLetter, verdict.deadLetter, attempt);
    } catch (error) {
      if (stopping.aborted) return { kind: 'release' };
      if (!(error instanceof NotYet)) failures += 1;
      if (failures >= attempts) return deadLetter('attempts-exhausted', messageOf(error), attempt);
    }
    try {
      await pause(delayMs, undefined, { signal: stopping });
    } catch {
      return { kind: 'release' };
    }
    delayMs = Math.min(delayMs * 2, MAX_RETRY_DELAY_MS);
  }
};
