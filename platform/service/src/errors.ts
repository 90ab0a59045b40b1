import type { FailureMeaning } from './policy/failure.ts';

/** How one error looks at every kind of edge. The catalog itself belongs to the contracts and is passed in. */
export interface ErrorDefinition {
  /** One sentence for people; the same for every occurrence. */
  readonly title: string;
  readonly httpStatus: number;
  /** A gRPC status code by number. */
  readonly grpcStatus: number;
  /** True when the same request may succeed later without a change. */
  readonly retryable: boolean;
}

/** The codes that the kit itself answers with; every catalog must have them. */
export type KitErrorCode =
  | 'MALFORMED_REQUEST'
  | 'VALIDATION_FAILED'
  | 'UNAUTHENTICATED'
  | 'ROUTE_NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'CONFLICT'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'INTERNAL'
  | 'NOT_READY'
  | 'OVERLOADED'
  | 'DEADLINE_EXCEEDED';

/** A closed list of error codes. */
export type ErrorCatalog<Code extends string> = Readonly<Record<Code | KitErrorCode, ErrorDefinition>>;

/** A catalog whose further codes are not known to the compiler. */
export type AnyErrorCatalog = Readonly<Record<KitErrorCode, ErrorDefinition>> &
  Readonly<Record<string, ErrorDefinition | undefined>>;

const TOO_MANY_REQUESTS = 429;

/**
 * What a code that a peer named means to its caller; undefined when the catalog does not know it. It counts against the
 * peer when the peer failed by itself or has too much to do; a refusal of the request says that the peer is well.
 */
export const meaningOf = (catalog: AnyErrorCatalog, code: string | undefined): FailureMeaning | undefined => {
  const known = code !== undefined && Object.hasOwn(catalog, code) ? catalog[code] : undefined;
  if (known === undefined) return undefined;
  const { retryable, httpStatus } = known;
  return { retryable, counts: httpStatus >= 500 || httpStatus === TOO_MANY_REQUESTS };
};

const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** A code that a peer names, if it looks like one: a peer's text becomes part of spans and log lines. */
export const codeFrom = (candidate: unknown): string | undefined =>
  typeof candidate === 'string' && CODE.test(candidate) ? candidate : undefined;

/** What a thrown value says, for a log line. Never for an answer to a client. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
