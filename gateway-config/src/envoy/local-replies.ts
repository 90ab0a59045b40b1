import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import { extension, type Fragment } from './typed.ts';

/** A request that was refused before any filter ran (not HTTP, escaped slashes) has none yet: it gets a fresh one here. */
const correlationId = `%COALESCE({"operators": [{"command": "REQ", "param": "${httpHeaders.correlationId}"}, "UNIQUE_ID"]})%`;

const bodyOf = (code: ErrorCode): Fragment => {
  const { title, httpStatus } = errorCatalog[code];
  return {
    content_type: 'application/problem+json',
    json_format: {
      type: `urn:parley:problem:${code.toLowerCase().replaceAll('_', '-')}`,
      title,
      status: httpStatus,
      code,
      correlationId,
    },
  };
};

const answer = (filter: Fragment, code: ErrorCode, retryAfterSeconds?: number): Fragment => ({
  filter,
  status_code: errorCatalog[code].httpStatus,
  body_format_override: bodyOf(code),
  ...(retryAfterSeconds === undefined
    ? {}
    : {
        headers_to_add: [
          {
            header: { key: 'retry-after', value: String(retryAfterSeconds) },
            append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
          },
        ],
      }),
});

const flags = (...names: string[]): Fragment => ({ response_flag_filter: { flags: names } });
const status = (op: 'EQ' | 'GE', value: number): Fragment => ({
  status_code_filter: { comparison: { op, value: { default_value: value, runtime_key: 'unset' } } },
});
const tokenRefused: Fragment = {
  extension_filter: extension('cel', 'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', {
    expression: "response.code_details.startsWith('jwt_authn_access_denied')",
  }),
};

/**
 * Every answer that Envoy makes itself, as a problem of the closed list; a service's own answers pass untouched. The
 * first match wins. The token's mapper is needed since Envoy answers a wrong audience with 403.
 */
export const localReplies = ({ errors, retryAfterSeconds }: GatewayPolicy): Fragment => ({
  mappers: [
    answer(flags('UT'), errors.backendTimeout),
    // refused, no healthy host, closed, retries used up, overflow, reset (local, remote, protocol), no cluster
    answer(
      flags('UF', 'UH', 'UC', 'URX', 'UO', 'LR', 'UR', 'UPE', 'NC'),
      errors.backendUnreachable,
      retryAfterSeconds,
    ),
    answer(tokenRefused, errors.tokenRefused),
    answer(status('EQ', 401), errors.tokenRefused),
    answer(flags('NR'), errors.routeUnknown),
    answer(status('EQ', 405), errors.methodRefused),
    answer(status('EQ', 413), errors.bodyTooLarge),
    answer(status('EQ', 429), errors.rateLimited),
    answer(status('EQ', 501), errors.malformedRequest), // a transfer encoding that nobody has
    answer(status('GE', 500), errors.internal),
    answer(status('GE', 400), errors.malformedRequest),
  ],
});
