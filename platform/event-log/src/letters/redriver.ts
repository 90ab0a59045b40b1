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
    const run = this.#run(partition).finally(() => {
      this.#running.delete(partition);
      if (this.#again.has(partition)) this.wake(partition); // woken after its last look
    });
    this.#running.set(partition, run);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async #run(partition: number): Promise<void> {
    const { letters, heldBy, logger } = this.#options;
    while (this.#again.delete(partition)) {
      const signal = heldBy(partition);
      if (signal === undefined || signal.aborted) return;
      if (letters.due(partition).length === 0) continue;
      const isLost = (): boolean => signal.aborted; // asked anew after each await
      try {
        await letters.caughtUp(partition, signal); // what has become of them since may not have been read yet
        for (const letter of letters.due(partition)) {
          if (isLost()) return;
          if (!this.#isStillDue(letter)) continue;
          await this.#redrive(letter, signal);
          this.#again.add(partition); // what was parked behind it may be due
        }
      } catch (error) {
        if (isLost()) return;
        logger.warn({ partition, err: error }, 'a dead letter could not be settled; it is tried again');
        setTimeout(() => {
          this.wake(partition);
        }, AGAIN_MS).unref();
        return;
      }
    }
  }

  /** False once it was discarded or settled, and once something newer is asked of it. */
  #isStillDue({ origin, offset, requested }: OpenLetter): boolean {
    const due = this.#options.letters.due(origin.partition);
    return due.some((now) => now.offset === offset && now.requested?.id === requested?.id);
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
        stopping.aborted || !this.#isStillDue(letter)
          ? Promise.resolve(undefined)
          : handle(event, { signal: stopping, attempt }),
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
    if (!this.#isStillDue(letter)) return; // the mark would end the newer request
    const { reason, message } = delivered.letter;
    await letters.mark(letter, { kind: 'failed', why: `${reason}: ${message}` });
    logger.warn({ ...at, reason }, 'a dead letter died again');
  }
}
