import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { type AnyErrorCatalog, codeFrom, type KitErrorCode, messageOf } from '../errors.ts';
import { PolicyError, type PolicyReason } from '../policy.ts';

const CODE_KEY = 'parley-code';
const DEADLINE_EXCEEDED = 4;
/**
 * DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE; what a peer fails at by itself, as with a REST peer's 5xx: UNKNOWN
 * and INTERNAL; and what grpc-js makes of a stream that a dying peer reset: INTERNAL or CANCELLED.
 */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([DEADLINE_EXCEEDED, 8, 14, 2, 13, 1]);

/** Thrown by a gRPC implementation to refuse a call: the status comes from the catalog, the code travels as metadata. */
export class GrpcRefusal<Code extends string = string> extends Error {
  override readonly name = 'GrpcRefusal';
  readonly code: Code | KitErrorCode;
  readonly detail: string;

  constructor(code: Code | KitErrorCode, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
  }
}

/** What a failed call looks like on the wire. Anything but a refusal is INTERNAL, without its message. */
export const toStatus = (
  error: unknown,
  catalog: AnyErrorCatalog,
): { readonly code: number; readonly details: string; readonly metadata: Metadata } => {
  const refused = error instanceof GrpcRefusal ? (error as GrpcRefusal) : undefined;
  const known = refused === undefined ? undefined : catalog[refused.code];
  const code = known === undefined || refused === undefined ? 'INTERNAL' : refused.code;
  const metadata = new Metadata();
  metadata.set(CODE_KEY, code);
  return {
    code: (known ?? catalog.INTERNAL).grpcStatus,
    details: refused?.detail ?? catalog.INTERNAL.title,
    metadata,
  };
};

/** Why a peer gave no answer of its own. */
export type UnavailableReason = PolicyReason | 'unreachable' | 'peer';

/** The outcome of one call to a gRPC peer. An expected refusal is a value. */
export type GrpcAnswer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  /** The peer refused for good: `code` is the one of the peer's catalog, or the status by number when it named none. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  /** Retryable: no answer in time, no connection, or the breaker is open. `code` when the peer itself said so. */
  | { readonly kind: 'unavailable'; readonly reason: UnavailableReason; readonly code?: string | undefined };

/** Thrown in place of a call when no instance of the peer is known. Another attempt may find one. */
export class NoInstance extends Error {
  override readonly name = 'NoInstance';

  constructor(peer: string) {
    super(`no instance of ${peer} is known`);
  }
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && 'metadata' in error;

/** True for what another attempt may mend. */
export const isRetryable = (error: unknown): boolean =>
  !isServiceError(error) || RETRYABLE_STATUSES.has(error.code);

const UNAVAILABLE = 14;

/** True when the peer was not reached: it is no refusal that it named itself. */
export const isUnreachable = (error: unknown): boolean =>
  isServiceError(error) &&
  (error.code as number) === UNAVAILABLE &&
  codeFrom(error.metadata.get(CODE_KEY)[0]?.toString()) === undefined;

/** Maps what a call threw to its outcome; a broken invariant is thrown on. */
export const toAnswer = (error: unknown): Exclude<GrpcAnswer<never>, { kind: 'ok' }> => {
  if (error instanceof PolicyError) return { kind: 'unavailable', reason: error.reason };
  if (error instanceof NoInstance) return { kind: 'unavailable', reason: 'unreachable' };
  if (!isServiceError(error))
    throw new Error(`a gRPC call failed unexpectedly: ${messageOf(error)}`, { cause: error });
  const named = codeFrom(error.metadata.get(CODE_KEY)[0]?.toString());
  if (!RETRYABLE_STATUSES.has(error.code)) {
    return { kind: 'refused', code: named ?? String(error.code), detail: error.details };
  }
  if ((error.code as number) === DEADLINE_EXCEEDED)
    return { kind: 'unavailable', reason: 'timeout', code: named };
  return { kind: 'unavailable', reason: named === undefined ? 'unreachable' : 'peer', code: named };
};
