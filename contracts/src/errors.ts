/** How one error looks at every kind of edge. */
export interface ErrorDefinition {
  /** One sentence for people; the same for every occurrence. */
  readonly title: string;
  readonly httpStatus: number;
  /** A gRPC status code by number (grpc.status). */
  readonly grpcStatus: number;
  readonly graphqlCode: string;
  /** True when the same request may succeed later without a change. */
  readonly retryable: boolean;
}

const define = (
  httpStatus: number,
  grpcStatus: number,
  graphqlCode: string,
  retryable: boolean,
  title: string,
): ErrorDefinition => ({ title, httpStatus, grpcStatus, graphqlCode, retryable });

/**
 * The closed list of error codes. A REST error is an RFC 9457 problem+json whose `code` is one of these; gRPC and
 * GraphQL edges answer with the statuses named here; a caller maps a peer's status back through this list.
 */
export const errorCatalog = {
  MALFORMED_REQUEST: define(400, 3, 'BAD_USER_INPUT', false, 'The request could not be read'),
  VALIDATION_FAILED: define(400, 3, 'BAD_USER_INPUT', false, 'The request has invalid fields'),
  UNAUTHENTICATED: define(401, 16, 'UNAUTHENTICATED', false, 'A valid token is required'),
  PAYMENT_DECLINED: define(402, 9, 'PAYMENT_DECLINED', false, 'The payment was declined'),
  ROUTE_NOT_FOUND: define(404, 12, 'NOT_FOUND', false, 'There is nothing at this address'),
  ORDER_NOT_FOUND: define(404, 5, 'NOT_FOUND', false, 'There is no such order'),
  PRODUCT_NOT_FOUND: define(404, 5, 'NOT_FOUND', false, 'There is no such product'),
  PAYMENT_NOT_FOUND: define(404, 5, 'NOT_FOUND', false, 'There is no payment for this order'),
  NOTIFICATION_NOT_FOUND: define(404, 5, 'NOT_FOUND', false, 'There is no notification for this order'),
  SHIPMENT_NOT_FOUND: define(404, 5, 'NOT_FOUND', false, 'There is no shipment for this order'),
  METHOD_NOT_ALLOWED: define(
    405,
    12,
    'METHOD_NOT_ALLOWED',
    false,
    'The address does not support this method',
  ),
  STOCK_SHORT: define(409, 9, 'STOCK_SHORT', false, 'There is not enough stock'),
  PAYMENT_VOIDED: define(409, 9, 'PAYMENT_VOIDED', false, 'The order was given up before it was paid'),
  CONFLICT: define(409, 10, 'CONFLICT', true, 'Someone else changed the same thing at the same time'),
  PAYLOAD_TOO_LARGE: define(413, 3, 'BAD_USER_INPUT', false, 'The request body is too large'),
  UNSUPPORTED_MEDIA_TYPE: define(415, 3, 'BAD_USER_INPUT', false, 'The request body must be JSON'),
  IDEMPOTENCY_KEY_REUSED: define(
    422,
    9,
    'IDEMPOTENCY_KEY_REUSED',
    false,
    'The Idempotency-Key was used for another request',
  ),
  RATE_LIMITED: define(429, 8, 'RATE_LIMITED', true, 'Too many requests'),
  INTERNAL: define(500, 13, 'INTERNAL_SERVER_ERROR', false, 'Something went wrong inside the service'),
  BACKEND_UNAVAILABLE: define(
    503,
    14,
    'UNAVAILABLE',
    true,
    'The service behind this address cannot be reached',
  ),
  DEPENDENCY_UNAVAILABLE: define(
    503,
    14,
    'UNAVAILABLE',
    true,
    'A service or engine that this request needs cannot be reached',
  ),
  LOG_UNAVAILABLE: define(503, 14, 'UNAVAILABLE', true, 'The event log did not confirm the write in time'),
  OVERLOADED: define(503, 8, 'UNAVAILABLE', true, 'The service has too much to do'),
  NOT_YET_CONSISTENT: define(
    503,
    14,
    'UNAVAILABLE',
    true,
    'The service has not come to the requested log position yet',
  ),
  NOT_READY: define(503, 14, 'UNAVAILABLE', true, 'The service is starting or stopping'),
  DEADLINE_EXCEEDED: define(504, 4, 'DEADLINE_EXCEEDED', true, 'The request was not finished in time'),
} as const satisfies Record<string, ErrorDefinition>;

/** The closed list as a GraphQL client sees it: several errors may have one code there. */
export const graphqlCodes: ReadonlySet<string> = new Set(
  Object.values(errorCatalog).map(({ graphqlCode }) => graphqlCode),
);

/** One of the closed list of error codes. */
export type ErrorCode = keyof typeof errorCatalog;
