/**
 * Handles dead letters again: those that were asked for, and those that were only parked once nothing is open before them.
 * It runs in the process that is assigned the partition, so a stream is handled by one at a time and in order, and a request
 * survives whoever made it and whoever works on it.
 */
import { deliver, type RetryPolicy, type Verdict } from '@parley/delivery';
import type { Logger } from 'pino';
import type { DomainEvent, RecordedEvent } from '../ports.ts';
import type { LetterBox } from './letter-box.ts';
import type { OpenLetter } from './partition-letters.ts';

export interface RedriverOptions<E extends DomainEvent> {
  readonly letters: LetterBox;
  readonly policy: RetryPolicy;
  readonly logger: Logger;
  /** Resolves once what became of the letters of a partition before it was this process's is known. */
  readonly claim: (partition: number) => Promise<void>;
  /** Not aborted while the partition is this process's; undefined when it is not. */
  readonly heldBy: (partition: number) => AbortSignal | undefined;
  /** The event of a letter, or why it is none of the history. */
  readonly eventOf: (letter: OpenLetter) => Promise<RecordedEvent<E> | string>;
  readonly handle: (
    event: RecordedEvent<E>,
    turn: { readonly signal: AbortSignal; readonly attempt: number },
  ) => Promise<Verdict | undefined>;
}

const AGAIN_MS = 1_000;
/** Letters of one partition that are handled at the same time, each of another stream. */
const CONCURRENT_MAX = 16;

export class Redriver<E extends DomainEvent> {
  readonly #options: RedriverOptions<E>;
  /** By partition and by offset of the letter. */
  readonly #running = new Map<number, Map<number, Promise<void>>>();

  constructor(options: RedriverOptions<E>) {
    this.#options = options;
  }

  /** Works on what is due in a partition, until nothing is. */
  wake(partition: number): void {
    const { letters, heldBy } = this.#options;
    const signal = heldBy(partition);
    if (signal === undefined || signal.aborted) return;
    const running = this.#running.get(partition) ?? new Map<number, Promise<void>>();
    this.#running.set(partition, running);
    for (const letter of letters.due(partition)) {
      if (running.size >= CONCURRENT_MAX) return; // whichever ends first looks again
      if (running.has(letter.offset)) continue;
      const run = this.#run(letter, signal).then((againMs) => {
        running.delete(letter.offset);
        const again = (): void => {
          this.wake(partition); // what was parked behind it may be due
        };
        if (againMs === undefined) again();
        else setTimeout(again, againMs).unref();
      });
      running.set(letter.offset, run);
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#running.values()].flatMap((running) => [...running.values()]));
  }

  /** Resolves with the pause until the next look, when it could not be settled. */
  async #run(letter: OpenLetter, signal: AbortSignal): Promise<number | undefined> {
    const { letters, claim, logger } = this.#options;
    const { partition } = letter.origin;
    try {
      await claim(partition);
      if (!signal.aborted && letters.isStillDue(letter)) await this.#redrive(letter, signal);
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      const at = { ...letter.origin, letter: letter.id, err: error };
      logger.warn(at, 'a dead letter could not be settled; it is tried again');
      return AGAIN_MS;
    }
  }

  async #redrive(letter: OpenLetter, stopping: AbortSignal): Promise<void> {
    const { letters, policy, logger, eventOf, handle } = this.#options;
    const at = { ...letter.origin, letter: letter.id };
    const answers = letter.requested?.id ?? '';
    const event = await eventOf(letter);
    if (typeof event === 'string') {
      await letters.mark(letter, { kind: 'failed', why: event, answers });
      return;
    }
    const delivered = await deliver({
      policy,
      stopping,
      handle: (attempt) =>
        stopping.aborted || !letters.isStillDue(letter)
          ? Promise.resolve(undefined)
          : handle(event, { signal: stopping, attempt }),
    });
    if (delivered.kind === 'released') return;
    if (delivered.kind === 'done') {
      await letters.mark(letter, {
        kind: 'redriven',
        why: letter.requested?.why ?? 'nothing is open before it',
        answers,
      });
      logger.info(at, 'a dead letter was handled');
      return;
    }
    const { reason, message } = delivered.letter;
    await letters.mark(letter, { kind: 'failed', why: `${reason}: ${message}`, answers });
    logger.warn({ ...at, reason }, 'a dead letter died again');
  }
}
