import { setTimeout as delay } from 'node:timers/promises';
import { PARKED } from './letter.ts';
import { isWaiting, isWanted, type OrderOfMany } from './letter-requests.ts';
import type { DeadLetterStore, LetterAnswer, LetterSummary } from './store.ts';

/** What became of one letter, or, last, of the order. */
export type OrderLine =
  | {
      readonly id: string;
      readonly result: 'done' | 'gone' | 'refused' | 'would redrive' | 'would discard';
      /** Why it is gone or was refused. */
      readonly why?: string;
    }
  | {
      /** Of those chosen, how many were not reached. */
      readonly left: number;
      /** Why it ended before `max`. */
      readonly stopped?: string;
    };

const resultOf = (
  answer: LetterAnswer,
): Pick<Extract<OrderLine, { readonly id: string }>, 'result' | 'why'> => {
  switch (answer.kind) {
    case 'ok':
      return { result: 'done' };
    case 'not-found':
      return { result: 'gone', why: 'it is settled, or another process looks at it' };
    case 'refused':
      return { result: 'refused', why: answer.why };
  }
};

const reasonOf = ({ reason }: AbortSignal): string =>
  reason instanceof Error ? reason.message : String(reason);

/**
 * The letters that an order of many is of. What is parked follows the one before it by itself, and what was requested
 * already is worked on: the next order goes on behind it.
 */
export const dueFor = (
  action: 'redrive' | 'discard',
  { filter }: Pick<OrderOfMany, 'filter'>,
  letters: readonly LetterSummary[],
): readonly LetterSummary[] =>
  letters.filter(
    (letter) =>
      isWaiting(letter) &&
      isWanted(filter, letter) &&
      (action === 'discard' ||
        (letter.state === 'open' && (letter.reason !== PARKED || letter.redrives > 0))),
  );

/**
 * Orders one letter after the other, no faster than the rate. Each on its own: ended in the middle, by the signal or by a
 * store that throws, what was ordered stays so, and the rest waits as before.
 */
export async function* orderMany(
  store: DeadLetterStore,
  action: 'redrive' | 'discard',
  of: { readonly due: readonly LetterSummary[]; readonly order: OrderOfMany; readonly signal: AbortSignal },
): AsyncGenerator<OrderLine> {
  const { due, order, signal } = of;
  const { why, max, ratePerSecond, dryRun } = order;
  let done = 0;
  for (const { id } of due.slice(0, max)) {
    if (done > 0 && !dryRun) await delay(1000 / ratePerSecond, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) {
      yield { left: due.length - done, stopped: reasonOf(signal) };
      return;
    }
    yield { id, ...(dryRun ? { result: `would ${action}` } : resultOf(await store[action](id, { why }))) };
    done += 1;
  }
  yield { left: due.length - done };
}
