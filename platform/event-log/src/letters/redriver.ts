/**
 * Handles dead letters again: those that were asked for, and those that were only parked once nothing is open before them.
 * It runs in the process that is assigned the partition, so a stream is handled by one at a time and in order, and a request
 * survives whoever made it and whoever works on it.
 */
import { deliver, type RetryPolicy, type Verdict } from '@parley/delivery';
import type { Logger } from 'pino';
import type { DomainEvent, RecordedEvent } from '../ports.ts';
import type { LetterBox, OpenLetter } from './letter-box.ts';

export interface RedriverOptions<E extends DomainEvent> {
  readonly letters: LetterBox;
  readonly policy: RetryPolicy;
  readonly logger: Logger;
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

export class Redriver<E extends DomainEvent> {
  readonly #options: RedriverOptions<E>;
  readonly #running = new Map<number, Promise<void>>();
  readonly #again = new Set<number>();

  constructor(options: RedriverOptions<E>) {
    this.#options = options;
  }

  /** Works on what is due in a partition, until nothing is. */
  wake(partition: number): void {
    this.#again.add(partition);
    if (this.#running.has(partition)) return;
    const run = this.#run(partition).finally(() => this.#running.delete(partition));
    this.#running.set(partition, run);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async #run(partition: number): Promise<void> {
    const { letters, heldBy, logger } = this.#options;
    while (this.#again.delete(partition)) {
      for (const letter of letters.due(partition)) {
        const signal = heldBy(partition);
        if (signal === undefined || signal.aborted) return;
        try {
          await this.#redrive(letter, signal);
        } catch (error) {
          logger.warn(
            { letter: letter.id, err: error },
            'a dead letter could not be settled; it is tried again',
          );
          setTimeout(() => {
            this.wake(partition);
          }, AGAIN_MS).unref();
          return;
        }
        this.#again.add(partition); // what was parked behind it may be due
      }
    }
  }

  async #redrive(letter: OpenLetter, stopping: AbortSignal): Promise<void> {
    const { letters, policy, logger, eventOf, handle } = this.#options;
    const at = { ...letter.origin, letter: letter.id };
    const event = await eventOf(letter);
    if (typeof event === 'string') {
      await letters.mark(letter, { kind: 'failed', why: event });
      return;
    }
    const delivered = await deliver({
      policy,
      stopping,
      handle: (attempt) =>
        stopping.aborted ? Promise.resolve(undefined) : handle(event, { signal: stopping, attempt }),
    });
    if (delivered.kind === 'released') return;
    if (delivered.kind === 'done') {
      await letters.mark(letter, {
        kind: 'redriven',
        why: letter.requested?.why ?? 'nothing is open before it',
      });
      logger.info(at, 'a dead letter was handled');
      return;
    }
    const { reason, message } = delivered.letter;
    await letters.mark(letter, { kind: 'failed', why: `${reason}: ${message}` });
    logger.warn({ ...at, reason }, 'a dead letter died again');
  }
}
