import { httpHeaders } from '@parley/contracts/headers';
import { extension, type Fragment } from './typed.ts';

/** The request's correlation id in Envoy's format language. */
export const correlationFormat = `%REQ(${httpHeaders.correlationId.toUpperCase()})%`;

/** `correlationIdPattern` of the contracts in Lua's words: Lua's patterns know no bounded repetition. */
const lua = `
function envoy_on_request(handle)
  local headers = handle:headers()
  local id = headers:get("${httpHeaders.correlationId}")
  if id == nil or #id > 64 or string.find(id, "^[A-Za-z0-9][A-Za-z0-9._%-]*$") == nil then
    headers:replace("${httpHeaders.correlationId}", headers:get("x-request-id"))
  end
end
`;

/**
 * Two filters that must come first. A client's well-formed correlation id is kept and any other replaced by Envoy's own
 * request id, a random UUID; then every answer, Envoy's own too, carries it.
 */
export const correlationFilters: readonly Fragment[] = [
  extension(
    'envoy.filters.http.header_mutation',
    'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
    {
      mutations: {
        response_mutations: [
          {
            append: {
              header: { key: httpHeaders.correlationId, value: correlationFormat },
              append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
            },
          },
        ],
      },
    },
  ),
  extension('envoy.filters.http.lua', 'envoy.extensions.filters.http.lua.v3.Lua', {
    default_source_code: { inline_string: lua },
  }),
];
