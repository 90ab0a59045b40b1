import { httpHeaders } from '@parley/contracts/headers';

/** The request's correlation id in Envoy's format language. */
export const correlationFormat = `%REQ(${httpHeaders.correlationId.toUpperCase()})%`;

/**
 * A client's well-formed correlation id is kept and any other replaced by Envoy's own request id, a random UUID. Well
 * formed is `correlationIdPattern` of the contracts in Lua's words: Lua's patterns know no bounded repetition.
 */
export const correlationLua = `
local function settle_correlation_id(headers)
  local id = headers:get("${httpHeaders.correlationId}")
  if id == nil or #id > 64 or string.find(id, "^[A-Za-z0-9][A-Za-z0-9._%-]*$") == nil then
    headers:replace("${httpHeaders.correlationId}", headers:get("x-request-id"))
  end
end
`;
