import { httpHeaders } from '@parley/contracts/headers';
import { tokenPolicy } from '../identity.ts';
import { extension, typed, type Fragment } from './typed.ts';

/** `userIdPattern` of the contracts in Lua's words: "!" to "~" are the visible ASCII characters. */
const lua = `
function envoy_on_request(handle)
  local user = handle:headers():get("${httpHeaders.userId}")
  if user == nil or #user < 1 or #user > 128 or string.find(user, "[^!-~]") ~= nil then
    local challenge = 'Bearer realm="${tokenPolicy.issuer}", error="invalid_token"'
    handle:respond({ [":status"] = "401", ["www-authenticate"] = challenge }, "")
  end
end
`;

const name = 'parley.user';

/**
 * Comes behind the filter that has verified the token and made a header of its subject. A subject that is no user id is
 * refused: as a header it would lose the blanks around it, and be somebody else. Off, but for routes that ask for it.
 */
export const userFilter: Fragment = {
  ...extension(name, 'envoy.extensions.filters.http.lua.v3.Lua', {
    default_source_code: { inline_string: lua },
  }),
  disabled: true,
};

/** What a route has that asks for a user, by filter. */
export const userAsked: Fragment = {
  [name]: typed('envoy.config.route.v3.FilterConfig', { config: {}, disabled: false }),
};
