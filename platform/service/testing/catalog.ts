import type { ErrorDefinition, KitErrorCode } from '../src/errors.ts';

const define = (httpStatus: number, grpcStatus: number): ErrorDefinition => ({
  title: `status ${httpStatus}`,
  httpStatus,
  grpcStatus,
  retryable: false,
});

/** The smallest catalog that the kit works with. */
export const kitCatalog: Readonly<Record<KitErrorCode, ErrorDefinition>> = {
  MALFORMED_REQUEST: define(400, 3),
  VALIDATION_FAILED: define(400, 3),
  UNAUTHENTICATED: define(401, 16),
  ROUTE_NOT_FOUND: define(404, 12),
  METHOD_NOT_ALLOWED: define(405, 12),
  CONFLICT: define(409, 10),
  PAYLOAD_TOO_LARGE: define(413, 3),
  UNSUPPORTED_MEDIA_TYPE: define(415, 3),
  INTERNAL: define(500, 13),
  NOT_READY: define(503, 14),
  OVERLOADED: define(503, 8),
  DEADLINE_EXCEEDED: define(504, 4),
};
