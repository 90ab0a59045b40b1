/**
 * Calls the `handle` of a reaction: within a deadline, and never twice at the same time for one event.
 *
 * Past the deadline the signal of the call is aborted. A `handle` that heeds it rejects, which counts as a failed
 * attempt. One that does not is not called again before it ends, however often the event is handed out to this process
 * meanwhile; it is left alone when the partition goes to another member, which must not wait for it.
 */
import type { AsyncHops, Verdict } from '@parley/delivery';
import type { DomainEvent, ReactionDefinition, RecordedEvent } from '../ports.ts';
import { tracedHandle } from './spans.ts';

/** How long a call may go on after its turn is over: less than a rebalance waits for the members that it concerns. */
const LEFT_AFTER_MS = 3000;

export interface HandleCallsOptions {
  readonly hops: AsyncHops;
  /** How long a call may take before its signal is aborted. */
  readonly deadlineMs: number;
  /** A call goes on although its signal was aborted at its deadline. */
  readonly onOverdue: (event: RecordedEvent, attempt: number, error: HandleOverdue) => void;
  /** Such a call has ended, one way or the other. Called before whoever waits for it learns of that. */
  readonly onEnded: (event: RecordedEvent) => void;
}

/** Of a call, by stream and event: another one may lie at the position of a log that was cut. */
export const callKeyOf = ({ streamId, eventId }: RecordedEvent): string => `${streamId} ${eventId}`;

/** The reason of the signal of a call that takes too long. */
export class HandleOverdue extends Error {
  override readonly name = 'HandleOverdue';

  constructor(deadlineMs: number) {
    super(`handle has not ended within ${String(deadlineMs)} ms`);
  }
}

/** `left`: the turn is over and the call goes on. */
type CallOutcome = Verdict | 'left';

export class HandleCalls<E extends DomainEvent> {
  readonly #definition: ReactionDefinition<E>;
  readonly #options: HandleCallsOptions;
  /** By `callKeyOf`. */
  readonly #underWay = new Map<string, Promise<Verdict>>();

  constructor(definition: ReactionDefinition<E>, options: HandleCallsOptions) {
    this.#definition = definition;
    this.#options = options;
  }

  /**
   * Resolves with the verdict on the event, of this call or of an earlier one that had not ended, also when that took
   * longer than the deadline. Rejects as `handle` does.
   *
   * @param turn its signal is aborted when the event is no longer this member's to handle.
   */
  run(
    event: RecordedEvent<E>,
    turn: { readonly signal: AbortSignal; readonly attempt: number },
  ): Promise<CallOutcome> {
    const key = callKeyOf(event);
    const call = this.#underWay.get(key) ?? this.#call(event, turn);
    const ended = call.finally(() => {
      if (this.#underWay.get(key) === call) this.#underWay.delete(key);
    });
    this.#underWay.set(key, call);
    return unlessLeft(ended, turn.signal);
  }

  async #call(
    event: RecordedEvent<E>,
    turn: { readonly signal: AbortSignal; readonly attempt: number },
  ): Promise<Verdict> {
    const { group, handle } = this.#definition;
    const { hops, deadlineMs, onOverdue, onEnded } = this.#options;
    const { attempt } = turn;
    const deadline = new AbortController();
    const signal = AbortSignal.any([turn.signal, deadline.signal]);
    const timer = setTimeout(() => {
      const error = new HandleOverdue(deadlineMs);
      deadline.abort(error);
      onOverdue(event, attempt, error);
    }, deadlineMs);
    try {
      return await tracedHandle(event, group, hops, () => handle(event, { signal, attempt }));
    } finally {
      clearTimeout(timer);
      if (deadline.signal.aborted) onEnded(event);
    }
  }
}

/** Waits for the call for as long as the turn lasts, and a little longer. */
async function unlessLeft(call: Promise<Verdict>, signal: AbortSignal): Promise<CallOutcome> {
  const left = Promise.withResolvers<'left'>();
  let timer: NodeJS.Timeout | undefined;
  const onOver = (): void => {
    timer = setTimeout(left.resolve, LEFT_AFTER_MS, 'left');
  };
  if (signal.aborted) onOver();
  else signal.addEventListener('abort', onOver, { once: true });
  try {
    return await Promise.race([call, left.promise]);
  } finally {
    signal.removeEventListener('abort', onOver);
    clearTimeout(timer);
  }
}
