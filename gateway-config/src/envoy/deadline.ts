import { httpHeaders } from '@parley/contracts/headers';
import type { Route } from '../policy/routes.ts';
import { extension, typed, type Fragment } from './typed.ts';

const name = 'parley.deadline';

/** A header that stands twice, or is no number, says nothing. An error here would let the request pass as it came. */
const lua = `
function envoy_on_request(handle)
  local limit = handle:filterContext():get("timeoutMs")
  if limit == nil then return end
  local headers = handle:headers()
  local asked = headers:get("${httpHeaders.timeoutMs}")
  local once = headers:getNumValues("${httpHeaders.timeoutMs}") == 1
  local ms = once and #asked <= 9 and string.find(asked, "^%d+$") ~= nil and tonumber(asked) or limit
  headers:remove("${httpHeaders.timeoutMs}")
  headers:add("${httpHeaders.timeoutMs}", string.format("%d", math.min(ms, limit)))
end
`;

/**
 * Tells the service how long its answer is awaited: as long as the client says, and at most as long as the route lasts.
 * All that the service asks of others lies within it.
 */
export const deadlineFilter: Fragment = extension(name, 'envoy.extensions.filters.http.lua.v3.Lua', {
  default_source_code: { inline_string: lua },
});

/** What a route has for {@link deadlineFilter}. */
export const deadlineOf = ({ timeoutMs }: Route): Fragment => ({
  [name]: typed('envoy.extensions.filters.http.lua.v3.LuaPerRoute', { filter_context: { timeoutMs } }),
});
