import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import type { Route } from '../policy/routes.ts';
import { limitLua } from './limit.ts';
import { extension, typed, type Fragment } from './typed.ts';
import { userLua } from './user.ts';

const name = 'parley.admission';

/** A client is its user, else its address. An answer of `ask_for_user` ends the script. */
const lua = (policy: GatewayPolicy): string => `
${userLua(policy)}${limitLua(policy)}
function envoy_on_request(handle)
  local route = handle:filterContext()
  local requests = route:get("requests")
  if requests == nil then return end
  local headers, stream = handle:headers(), handle:streamInfo()
  local user, metadata = headers:get("${httpHeaders.userId}"), stream:dynamicMetadata()
  if not route:get("anonymous") then
    ask_for_user(handle, metadata, user)
  elseif user ~= nil then
    headers:remove("${httpHeaders.userId}")
  end
  local key = user ~= nil and "user " .. user or "address " .. (string.match(stream:downstreamDirectRemoteAddress(), "^(.*):%d+$") or "")
  count(handle, metadata, key, requests, route:get("windowSeconds"))
end
`;

/**
 * Comes behind the filter that has verified a token and made a header of its subject, and before anything that costs:
 * asks for a user where the route does, and counts the client's requests. One script, as what it asks Envoy for costs
 * more than what it does with it.
 */
export const admissionFilter = (policy: GatewayPolicy): Fragment =>
  extension(name, 'envoy.extensions.filters.http.lua.v3.Lua', {
    default_source_code: { inline_string: lua(policy) },
  });

/** What a route has for {@link admissionFilter}. A route that asks for no user hands none on, though a user is counted as one. */
export const admissionOf = ({ authenticated }: Route, { limits }: GatewayPolicy): Fragment => ({
  [name]: typed('envoy.extensions.filters.http.lua.v3.LuaPerRoute', {
    filter_context: {
      requests: limits.client.requests,
      windowSeconds: limits.client.windowSeconds,
      ...(authenticated ? {} : { anonymous: true }),
    },
  }),
});
