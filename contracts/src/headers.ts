/** HTTP header names (lower case) that mean something between processes. */
export const httpHeaders = {
  /** Kept when well-formed (`correlationIdPattern`), made by the gateway otherwise. */
  correlationId: 'x-correlation-id',
  /** The subject of a verified token. Set by the gateway only; a client's own is removed there. */
  userId: 'x-user-id',
  /** A client's key for one order request: the same key from the same customer is the same order. */
  idempotencyKey: 'idempotency-key',
  traceparent: 'traceparent',
  /** On the answer to a write: where its last event lies in the log. See consistency.ts. */
  position: 'x-parley-position',
  /** On a request: read nothing older than these positions. */
  atLeast: 'x-parley-at-least',
  /** RFC 7240; `wait=<seconds>` bounds the wait for `atLeast`. */
  prefer: 'prefer',
  /** Whole milliseconds that the caller waits for the answer, from when it sends the request. What is over is not begun. */
  timeoutMs: 'x-parley-timeout-ms',
} as const;

/** gRPC metadata keys. */
export const grpcMetadata = {
  correlationId: 'x-correlation-id',
  traceparent: 'traceparent',
  position: httpHeaders.position,
  atLeast: httpHeaders.atLeast,
  prefer: httpHeaders.prefer,
} as const;

/** What a correlation id may look like; anything else is replaced by a fresh one. */
export const correlationIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * What the subject of a token, and so a user id, may look like: 1 to 128 visible ASCII characters. A header loses the
 * blanks around its value, so one with blanks would be read as somebody else.
 */
export const userIdPattern = /^[\x21-\x7e]{1,128}$/;

/** What an Idempotency-Key may look like: 1 to 128 visible ASCII characters. */
export const idempotencyKeyPattern = /^[\x21-\x7e]{1,128}$/;
