import { setTimeout as delay } from 'node:timers/promises';

/** How often a client asks, whatever the answers, and how many times. */
export interface OpenLoop {
  readonly perSecond: number;
  readonly count: number;
}

/** Calls `ask` at its times, never waiting for an answer; resolves with all answers in the order of asking. */
export const openLoop = async <T>(
  { perSecond, count }: OpenLoop,
  ask: (index: number) => Promise<T>,
): Promise<readonly T[]> => {
  const startedAt = performance.now();
  const answers: Promise<T>[] = [];
  for (let index = 0; index < count; index += 1) {
    const dueInMs = startedAt + (index * 1000) / perSecond - performance.now();
    if (dueInMs > 0) await delay(dueInMs);
    answers.push(ask(index));
  }
  return Promise.all(answers);
};
