import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import { extension, type Fragment } from './typed.ts';

/** A request that was refused before any filter ran (not HTTP, escaped slashes) has none yet: it gets a fresh one here. */
const correlationId = `%COALESCE({"operators": [{"command": "REQ", "param": "${httpHeaders.correlationId}"}, "UNIQUE_ID"]})%`;

const problemOf = (code: ErrorCode): Fragment => {
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

const added = (headers: Readonly<Record<string, string | number>>): readonly Fragment[] =>
  Object.entries(headers).map(([key, value]) => ({
    header: { key, value: String(value) },
    append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
  }));

/** Of a call, whose answer Envoy makes one of trailers only: its text is the message. Envoy's own choice of a status knows no deadline and no limit. */
const isCall: Fragment = {
  header_filter: {
    header: { name: 'content-type', string_match: { safe_regex: { regex: 'application/grpc(\\+.*)?' } } },
  },
};

const answers = (
  filter: Fragment,
  code: ErrorCode,
  headers: Readonly<Record<string, number>> = {},
): readonly Fragment[] => {
  const { httpStatus, grpcStatus, title } = errorCatalog[code];
  return [
    {
      filter: { and_filter: { filters: [isCall, filter] } },
      status_code: httpStatus,
      body_format_override: { text_format_source: { inline_string: title } },
      headers_to_add: added({ 'grpc-status': grpcStatus, 'parley-code': code }),
    },
    {
      filter,
      status_code: httpStatus,
      body_format_override: problemOf(code),
      headers_to_add: added(headers),
    },
  ];
};

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
    ...answers(status('EQ', 504), errors.backendTimeout), // the route's time, or a call's own
    // refused, no healthy host, closed, retries used up, overflow, reset (local, remote, protocol), no cluster
    ...answers(flags('UF', 'UH', 'UC', 'URX', 'UO', 'LR', 'UR', 'UPE', 'NC'), errors.backendUnreachable, {
      'retry-after': retryAfterSeconds,
    }),
    ...answers(tokenRefused, errors.tokenRefused),
    ...answers(status('EQ', 401), errors.tokenRefused),
    ...answers(flags('NR'), errors.routeUnknown),
    ...answers(status('EQ', 405), errors.methodRefused),
    ...answers(status('EQ', 413), errors.bodyTooLarge),
    ...answers(status('EQ', 429), errors.rateLimited),
    ...answers(status('EQ', 501), errors.malformedRequest), // a transfer encoding that nobody has
    ...answers(status('GE', 500), errors.internal),
    ...answers(status('GE', 400), errors.malformedRequest),
  ],
});
