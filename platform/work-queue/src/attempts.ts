import { deliver, type AsyncHops, type Delivered } from '@parley/delivery';
import type { ConsumerOptions, IncomingMessage, QueueDefinition } from './ports.ts';
import { consuming } from './spans.ts';

const DEFAULT_ATTEMPTS = 3;
const DEFAULT_RETRY_DELAY_MS = 200;
const MAX_RETRY_DELAY_MS = 10_000;

/** Calls the handler of a queue as often as its consumer says (`deliver`). Never rejects. */
export const workOn = (
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
): Promise<Delivered> => {
  const { hops, signal, stopping } = delivery;
  const firstMs = consumer.retryDelayMs ?? DEFAULT_RETRY_DELAY_MS;
  return deliver({
    policy: {
      attempts: consumer.attempts ?? DEFAULT_ATTEMPTS,
      backoff: { firstMs, maxMs: MAX_RETRY_DELAY_MS },
    },
    stopping,
    handle: (attempt) => {
      const message: IncomingMessage = { ...delivery.message, attempt };
      return consuming(definition, message, { hops, fn: () => consumer.handle(message, { signal }) });
    },
  });
};
