import type { Context } from '@opentelemetry/api';
import type { CommitKey } from '../arbitration/commit-header.ts';
import type { Command, CommandOutcome, DomainEvent } from '../ports.ts';

/** A command from `execute` until its outcome. The rejection type is the caller's; inside it is opaque. */
export class Entry<S, E extends DomainEvent> {
  readonly command: Command<S, E, unknown>;
  readonly commit: CommitKey;
  /** The trace context that its records carry on. */
  readonly context: Context;
  readonly outcome: Promise<CommandOutcome<S, unknown>>;
  losses = 0;
  timer: NodeJS.Timeout | undefined;
  #settled = false;
  readonly #onConcluded: (outcome: CommandOutcome<S, unknown> | undefined) => void;
  readonly #resolve: (outcome: CommandOutcome<S, unknown>) => void;
  readonly #reject: (error: Error) => void;

  /** `onConcluded` is told once, before the outcome is; undefined when there is none. */
  constructor(
    command: Command<S, E, unknown>,
    { commit, context }: { readonly commit: CommitKey; readonly context: Context },
    onConcluded: (outcome: CommandOutcome<S, unknown> | undefined) => void,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<CommandOutcome<S, unknown>>();
    this.command = command;
    this.commit = commit;
    this.context = context;
    this.outcome = promise;
    this.#onConcluded = onConcluded;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** First call of `settle` or `fail` wins; later ones are ignored. */
  settle(outcome: CommandOutcome<S, unknown>): void {
    if (!this.#conclude(outcome)) return;
    this.#resolve(outcome);
  }

  /** A broken invariant: the decider threw, or an event does not fit its schema. */
  fail(error: unknown): void {
    if (!this.#conclude(undefined)) return;
    this.#reject(error instanceof Error ? error : new Error(String(error)));
  }

  #conclude(outcome: CommandOutcome<S, unknown> | undefined): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.timer);
    this.#onConcluded(outcome);
    return true;
  }
}
