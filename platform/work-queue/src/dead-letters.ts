import { setTimeout as pause } from 'node:timers/promises';
import { PublishError } from './ports.ts';

/** Dead letters that a queue of them takes before it refuses further ones, unless its definition says otherwise. */
export const DEAD_LETTERS_MAX = 10_000;

const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;

/**
 * Sends a dead letter, again with growing pauses while the queue of them refuses it. Resolves true once it is stored,
 * and false when `stopping` aborts first: the message is then to be given back. Rejects when anything else stops it.
 */
export const untilTaken = async (options: {
  readonly send: () => Promise<void>;
  /** Called once, at the first refusal. */
  readonly refused: () => void;
  readonly stopping: AbortSignal;
}): Promise<boolean> => {
  const { send, refused, stopping } = options;
  let delayMs = FIRST_PAUSE_MS;
  for (let told = false; ; delayMs = Math.min(delayMs * 2, MAX_PAUSE_MS)) {
    try {
      await send();
      return true;
    } catch (error) {
      if (!(error instanceof PublishError && error.reason === 'refused')) throw error;
    }
    if (!told) refused();
    told = true;
    try {
      await pause(delayMs, undefined, { signal: stopping });
    } catch {
      return false;
    }
  }
};

/** What a consumer that holds such messages says about itself; undefined when it holds none. */
export const awaitedRoom = (deadLetterQueue: string, held: number): string | undefined =>
  held === 0
    ? undefined
    : `room in ${deadLetterQueue}, which is full: ${held} ${held === 1 ? 'message is' : 'messages are'} held back`;
