import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { type AnyErrorCatalog, codeFrom, type KitErrorCode, meaningOf, messageOf } from '../errors.ts';
import { CallFailure, type FailureMeaning, type PolicyReason } from '../policy/failure.ts';

const CODE_KEY = 'parley-code';
/** Of gRPC's own retries, which ours obey. */
const PUSHBACK_KEY = 'grpc-retry-pushback-ms';
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
/**
 * Statuses that another attempt may mend where the peer named no code that we know: DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED, UNAVAILABLE, UNKNOWN; and what grpc-js makes of a stream that a dying peer reset: INTERNAL or
 * CANCELLED.
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
  /**
   * No answer in time, no connection, a failure of the peer, after all attempts; or the policy ended the call. `code` when
   * the peer itself said so.
   */
  | { readonly kind: 'unavailable'; readonly reason: UnavailableReason; readonly code?: string | undefined };

type NoAnswer = Exclude<GrpcAnswer<never>, { kind: 'ok' }>;

/** A call that failed in a way that the policy has to do something about. */
export class GrpcFailure extends CallFailure {
  readonly answer: NoAnswer;

  constructor(
    answer: Extract<NoAnswer, { kind: 'unavailable' }>,
    meaning: FailureMeaning & { readonly retryAfterMs?: number | undefined; readonly cause?: unknown },
  ) {
    super(answer.code ?? answer.reason, meaning);
    this.answer = answer;
  }
}

/** In place of a call when no instance of the peer is known. Another attempt may find one. */
export const noInstance = (peer: string): GrpcFailure =>
  new GrpcFailure(
    { kind: 'unavailable', reason: 'unreachable' },
    { retryable: true, counts: true, cause: new Error(`no instance of ${peer} is known`) },
  );

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && 'metadata' in error;

const meaningOfStatus = (status: number): FailureMeaning => {
  const failed = RETRYABLE_STATUSES.has(status);
  return { retryable: failed, counts: failed };
};

/**
 * The pause that a peer asks for, as gRPC has it (proposal A6): milliseconds; below zero, or when it is no number, the
 * peer asks for no other attempt at all.
 */
const pushbackMsOf = (metadata: Metadata): number | undefined => {
  const value = metadata.get(PUSHBACK_KEY)[0]?.toString();
  if (value === undefined) return undefined;
  return /^\d{1,10}$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY;
};

const unavailableOf = (
  status: number,
  code: string | undefined,
): Extract<NoAnswer, { kind: 'unavailable' }> => {
  if (status === DEADLINE_EXCEEDED) return { kind: 'unavailable', reason: 'timeout', code };
  return { kind: 'unavailable', reason: code === undefined ? 'unreachable' : 'peer', code };
};

/**
 * What a failed attempt is to the caller: a final refusal as a value; a GrpcFailure is thrown for what the policy has to
 * do something about. The code that the peer names decides by the catalog; the status does where it names none. A broken
 * invariant is thrown on.
 */
export const refusalOf = (error: unknown, catalog: AnyErrorCatalog): NoAnswer => {
  if (error instanceof GrpcFailure) throw error;
  if (!isServiceError(error))
    throw new Error(`a gRPC call failed unexpectedly: ${messageOf(error)}`, { cause: error });
  const code = codeFrom(error.metadata.get(CODE_KEY)[0]?.toString());
  const meaning = meaningOf(catalog, code) ?? meaningOfStatus(error.code);
  if (!meaning.retryable && !meaning.counts)
    return { kind: 'refused', code: code ?? String(error.code), detail: error.details };
  const retryAfterMs = pushbackMsOf(error.metadata);
  throw new GrpcFailure(unavailableOf(error.code, code), { ...meaning, retryAfterMs, cause: error });
};

/** True when the peer was not reached: it is no refusal that it named itself. */
export const isUnreachable = (error: unknown): boolean =>
  isServiceError(error) &&
  (error.code as number) === UNAVAILABLE &&
  codeFrom(error.metadata.get(CODE_KEY)[0]?.toString()) === undefined;
