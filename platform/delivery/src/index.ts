export { messagingMetrics, secondsSince } from './messaging-metrics.ts';
export { deliver, type Delivered, type Failure, type RetryPolicy } from './attempts.ts';
export { backoffMs, type Backoff } from './backoff.ts';
export { inConsumerSpan, type AsyncHops, type ConsumerSpan } from './hop.ts';
export { errorHeaders, errorHeaderNames, headerText, PARKED, type DeadLetter } from './letter.ts';
export { deadLetter, done, notYet, tryAgain, type Verdict } from './verdict.ts';
export type { DeadLetterStore, LetterAnswer, LetterDetail, LetterState, LetterSummary } from './store.ts';
export { deadLetterRoutes } from './ops-routes.ts';
