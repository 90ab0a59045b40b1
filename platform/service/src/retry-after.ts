/** As long as six digits of seconds can say. */
const RETRY_AFTER_MS_MAX = 999_999_000;

/** The three forms of RFC 9110 5.6.7 begin with a weekday, and have a time before `GMT` or, in the oldest, the year. */
const HTTP_DATE = /^[A-Z][a-z]+,? .+ \d\d:\d\d:\d\d (GMT|\d{4})$/;

/**
 * Milliseconds from `nowMs` on that a Retry-After asks for, in seconds or as a date; none for a date that has passed, at
 * most 999,999 s. Undefined when it is neither.
 */
export const retryAfterMsFrom = (value: string, nowMs = Date.now()): number | undefined => {
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1_000;
  if (!HTTP_DATE.test(value)) return undefined;
  const atMs = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(0, atMs - nowMs), RETRY_AFTER_MS_MAX);
};
