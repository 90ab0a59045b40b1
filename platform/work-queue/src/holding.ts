/**
 * How long a message is held before it is given back, unless the consumer says otherwise. RabbitMQ closes the channel of
 * a consumer that holds one for 30 minutes (`consumer_timeout`): everything else that is held would come back with it.
 */
const HELD_MS_MAX = 20 * 60_000;

/**
 * Works on one message. The signal aborts when the message is to be given back: with the first of `stopping`, or once
 * it has been held for long enough. Work that goes on nevertheless is waited for.
 */
export const whileHeld = async (
  { stopping, heldMsMax = HELD_MS_MAX }: { stopping: readonly AbortSignal[]; heldMsMax: number | undefined },
  work: (stopping: AbortSignal) => Promise<void>,
): Promise<void> => {
  const due = new AbortController();
  const timer = setTimeout(() => {
    due.abort();
  }, heldMsMax).unref();
  try {
    await work(AbortSignal.any([...stopping, due.signal]));
  } finally {
    clearTimeout(timer);
  }
};
