/**
 * kafkajs rejects a produce request with the error of the first partition that failed, and throws away what the broker
 * says of the others. Here that is kept with the error.
 */

/** What the broker says of one partition; written when there is no error. */
export interface PartitionAnswer {
  readonly topicName: string;
  readonly partition: number;
  readonly error: unknown;
}

const kept = new WeakMap<object, readonly PartitionAnswer[]>();

/** Keeps them for as long as the error lives. */
export function keepAnswers(error: unknown, answers: readonly PartitionAnswer[]): void {
  if (error instanceof Error) kept.set(error, answers);
}

/** Empty when the broker has not answered, or the error does not come from its answer. */
export const answersIn = (error: unknown): readonly PartitionAnswer[] => {
  if (!(error instanceof Error)) return [];
  const cause = error.cause instanceof Error ? error.cause : error; // kafkajs wraps what may be tried again
  return kept.get(error) ?? kept.get(cause) ?? [];
};
