import type { Context } from '@opentelemetry/api';
import type { CommitKey } from '../arbitration/commit-header.ts';
import type { Command, CommandOutcome, DomainEvent } from '../ports.ts';

/** How a command ended: with an outcome, or with an error of its own. */
export type Concluded<S> = { readonly outcome: CommandOutcome<S, unknown> } | { readonly error: Error };

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
  readonly #onConcluded: (concluded: Concluded<S>) => void;
  readonly #resolve: (outcome: CommandOutcome<S, unknown>) => void;
  readonly #reject: (error: Error) => void;

  /** `onConcluded` is told once, before whoever awaits the outcome. */
  constructor(
    command: Command<S, E, unknown>,
    { commit, context }: { readonly commit: CommitKey; readonly context: Context },
    onConcluded: (concluded: Concluded<S>) => void,
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
    if (this.#settled) return;
    this.#resolve(outcome);
    this.#conclude({ outcome });
  }

  /** A broken invariant: the decider threw, or an event does not fit its schema. */
  fail(error: unknown): void {
    if (this.#settled) return;
    const reason = error instanceof Error ? error : new Error(String(error));
    this.#reject(reason);
    this.#conclude({ error: reason });
  }

  #conclude(concluded: Concluded<S>): void {
    this.#settled = true;
    clearTimeout(this.timer);
    this.#onConcluded(concluded);
  }
}
