import type { GatewayPolicy } from '../policy/policy.ts';
import type { Route } from '../policy/routes.ts';
import { answerHeaders } from './answers.ts';
import { correlationLua } from './correlation.ts';
import { deadlineContext, deadlineLua } from './deadline.ts';
import { samplingLua } from './trace-sampling.ts';
import { extension, typed, type Fragment } from './typed.ts';

const name = 'parley.arrival';

/**
 * RFC 9110: an authentication scheme has no case, and any number of spaces stand behind it. Envoy's filter wants one
 * spelling. A header that stands twice is left alone, since one written over both would hide the second from the filter.
 */
const schemeLua = `
local function settle_scheme(headers)
  if headers:getNumValues("authorization") ~= 1 then return end
  local authorization = headers:get("authorization")
  if string.find(authorization, "^Bearer [^ ]") ~= nil then return end
  local scheme, token = string.match(authorization, "^(%a+) +(.*)$")
  if scheme ~= nil and string.lower(scheme) == "bearer" then
    headers:replace("authorization", "Bearer " .. token)
  end
end
`;

const arrivalLua = (policy: GatewayPolicy, traced: boolean): string => `
${correlationLua}${schemeLua}${deadlineLua}${traced ? samplingLua(policy) : ''}
function envoy_on_request(handle)
  local headers = handle:headers()
  settle_correlation_id(headers)
  settle_scheme(headers)
  settle_deadline(handle, headers)${traced ? '\n  decide_on_trace(handle, headers)' : ''}
end
`;

/**
 * Come before every filter that can refuse: correlation id, authentication scheme and the client's deadline are as the
 * others expect them, and whether the request is traced is decided.
 */
export const arrivalFilters = (policy: GatewayPolicy, traced: boolean): readonly Fragment[] => [
  answerHeaders,
  extension(name, 'envoy.extensions.filters.http.lua.v3.Lua', {
    default_source_code: { inline_string: arrivalLua(policy, traced) },
  }),
];

/** What a route has for {@link arrivalFilters}. */
export const arrivalOf = (route: Route): Fragment => ({
  [name]: typed('envoy.extensions.filters.http.lua.v3.LuaPerRoute', {
    filter_context: deadlineContext(route),
  }),
});
