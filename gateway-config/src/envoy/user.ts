import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import { extension, typed, type Fragment } from './typed.ts';

/** Where the filter that verifies a token leaves the token's header, beside the filter's own name. */
export const tokenHeaderKey = 'header';

/**
 * `userIdPattern` of the contracts in Lua's words: "!" to "~" are the visible ASCII characters. RFC 7515 4.1.11: a token
 * that names a critical extension is refused by who does not know it; we know none, and Envoy's filter does not look.
 */
const lua = ({ issuer }: GatewayPolicy['tokens']): string => `
local function is_user(user)
  return user ~= nil and #user >= 1 and #user <= 128 and string.find(user, "[^!-~]") == nil
end

function envoy_on_request(handle)
  local verified = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local header = verified ~= nil and verified["${tokenHeaderKey}"] or nil
  if header == nil or header["crit"] ~= nil or not is_user(handle:headers():get("${httpHeaders.userId}")) then
    local challenge = 'Bearer realm="${issuer}", error="invalid_token"'
    handle:respond({ [":status"] = "401", ["www-authenticate"] = challenge }, "")
  end
end
`;

const name = 'parley.user';

/**
 * Comes behind the filter that has verified the token and made a header of its subject. A subject that is no user id is
 * refused: as a header it would lose the blanks around it, and be somebody else. Off, but for routes that ask for it.
 */
export const userFilter = ({ tokens }: GatewayPolicy): Fragment => ({
  ...extension(name, 'envoy.extensions.filters.http.lua.v3.Lua', {
    default_source_code: { inline_string: lua(tokens) },
  }),
  disabled: true,
});

/** What a route has that asks for a user, by filter. */
export const userAsked: Fragment = {
  [name]: typed('envoy.config.route.v3.FilterConfig', { config: {}, disabled: false }),
};
