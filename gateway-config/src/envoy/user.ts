import type { GatewayPolicy } from '../policy/policy.ts';

/** Where the filter that verifies a token leaves the token's header, beside the filter's own name. */
export const tokenHeaderKey = 'header';

/**
 * Refuses a subject that is no user id: as a header it would lose the blanks around it, and be somebody else.
 * `userIdPattern` of the contracts in Lua's words: "!" to "~" are the visible ASCII characters. RFC 7515 4.1.11: a token
 * that names a critical extension is refused by who does not know it; we know none, and Envoy's filter does not look.
 */
export const userLua = ({ tokens: { issuer } }: GatewayPolicy): string => `
local function is_user(user)
  return user ~= nil and #user >= 1 and #user <= 128 and string.find(user, "[^!-~]") == nil
end

local function ask_for_user(handle, metadata, user)
  local verified = metadata:get("envoy.filters.http.jwt_authn")
  local header = verified ~= nil and verified["${tokenHeaderKey}"] or nil
  if header == nil or header["crit"] ~= nil or not is_user(user) then
    local challenge = 'Bearer realm="${issuer}", error="invalid_token"'
    handle:respond({ [":status"] = "401", ["www-authenticate"] = challenge }, "")
  end
end
`;
