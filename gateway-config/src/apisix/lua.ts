import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import type { Route } from '../policy/routes.ts';

const { correlationId, userId, traceparent } = httpHeaders;

/** `correlationIdPattern` of the contracts in Lua's words. */
const settleCorrelationId = `
local function settle_correlation_id(core, ctx)
  local id = core.request.header(ctx, "${correlationId}")
  if type(id) ~= "string" or #id > 64 or not id:find("^[A-Za-z0-9][A-Za-z0-9._%-]*$") then
    id = core.id.gen_uuid_v4()
    core.request.set_header(ctx, "${correlationId}", id)
  end
  ctx.parley_correlation_id = id
end`;

/**
 * Runs first for every request, in a global rule: removes headers in which only the gateway may speak, settles the
 * correlation id, the spelling of the authentication scheme and a traceparent of a version that is none.
 */
export const arrival = ({ headers }: GatewayPolicy): string => `${settleCorrelationId}
local stripped = { ${headers.stripped.map((name) => `"${name}"`).join(', ')} }
return function(conf, ctx)
  local core = require("apisix.core")
  for _, name in ipairs(stripped) do core.request.set_header(ctx, name, nil) end
  settle_correlation_id(core, ctx)
  local authorization = core.request.header(ctx, "authorization")
  if authorization ~= nil then
    -- a token without its scheme would be taken otherwise
    local scheme, token = authorization:match("^(%a+) +(.*)$")
    local is_bearer = scheme ~= nil and scheme:lower() == "bearer"
    core.request.set_header(ctx, "authorization", is_bearer and "Bearer " .. token or nil)
  end
  local parent = core.request.header(ctx, "${traceparent}")
  if parent ~= nil and (parent:sub(1, 2) == "ff" or (parent:sub(1, 2) == "00" and #parent ~= 55)) then
    core.request.set_header(ctx, "${traceparent}", nil)
  end
end`;

/**
 * Behind the plugin that has verified signature and times: issuer, audience, critical extensions and the subject, which
 * that plugin does not look at (nor at `nbf`, once `exp` is asked for by name). Then the subject becomes the user that the service sees and the limit counts.
 */
export const identity = ({ tokens }: GatewayPolicy): string => `
local function refuse(core)
  core.response.set_header("WWW-Authenticate", 'Bearer realm="${tokens.issuer}", error="invalid_token"')
  return 401
end
local function for_us(audience)
  if type(audience) ~= "table" then return audience == "${tokens.audience}" end
  for _, each in ipairs(audience) do if each == "${tokens.audience}" then return true end end
  return false
end
return function(conf, ctx)
  local core = require("apisix.core")
  local token = ctx.jwt_auth_payload
  if type(token) ~= "table" or token.iss ~= "${tokens.issuer}" or not for_us(token.aud) then return refuse(core) end
  if token.nbf ~= nil and (type(token.nbf) ~= "number" or token.nbf > ngx.time() + ${tokens.clockSkewSeconds}) then
    return refuse(core)
  end
  local user = token.sub
  if type(user) ~= "string" or #user < 1 or #user > 128 or user:find("[^!-~]") then return refuse(core) end
  local head = (core.request.header(ctx, "authorization") or ""):match("^Bearer ([^.]+)") or ""
  local padded = head:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#head % 4)
  local header = core.json.decode(ngx.decode_base64(padded) or "")
  if type(header) ~= "table" or header.crit ~= nil then return refuse(core) end
  core.request.set_header(ctx, "authorization", nil)
  core.request.set_header(ctx, "${userId}", user)
end`;

/**
 * Tells the service how long its answer is awaited: as long as the client says, and at most as long as the route lasts.
 * A header that stands twice, or is no number, says nothing.
 */
export const deadline = ({ timeoutMs }: Route): string => `
return function(conf, ctx)
  local core = require("apisix.core")
  local asked = ngx.req.get_headers()["${httpHeaders.timeoutMs}"]
  local is_number = type(asked) == "string" and #asked <= 9 and asked:find("^%d+$") ~= nil
  local ms = is_number and tonumber(asked) or ${timeoutMs}
  core.request.set_header(ctx, "${httpHeaders.timeoutMs}", string.format("%d", math.min(ms, ${timeoutMs})))
end`;

/** What APISIX answers by itself, by its status, and the cause that it stands for. */
const causes: readonly (readonly [number, keyof GatewayPolicy['errors']])[] = [
  [400, 'malformedRequest'],
  [401, 'tokenRefused'],
  [404, 'routeUnknown'],
  [405, 'methodRefused'],
  [413, 'bodyTooLarge'],
  [429, 'rateLimited'],
  [500, 'internal'],
  [502, 'backendUnreachable'],
  [503, 'backendUnreachable'],
  [504, 'backendTimeout'],
];

const entry = (status: number, code: ErrorCode): string => {
  const { title, httpStatus } = errorCatalog[code];
  const type = `urn:parley:problem:${code.toLowerCase().replaceAll('_', '-')}`;
  return `  [${status}] = { status = ${httpStatus}, title = "${title}", code = "${code}", type = "${type}" },`;
};

/**
 * In a global rule, as the answer's head is sent: every answer has the correlation id, and what is left where requests
 * are counted. An answer that APISIX made itself gets the head of a problem of the closed list: those are text or HTML or
 * of no type, while a service's own are JSON of one kind or another and pass untouched.
 */
export const answerHead = ({
  errors,
  retryAfterSeconds,
  limits,
}: GatewayPolicy): string => `${settleCorrelationId}
local problems = {
${causes.map(([status, cause]) => entry(status, errors[cause])).join('\n')}
}
return function(conf, ctx)
  if ctx.parley_correlation_id == nil then settle_correlation_id(require("apisix.core"), ctx) end
  ngx.header["${correlationId}"] = ctx.parley_correlation_id
  local remaining, reset = ngx.header["X-RateLimit-Remaining"], ngx.header["X-RateLimit-Reset"]
  if remaining ~= nil then
    local seconds = math.max(1, math.ceil(tonumber(reset) or 1))
    ngx.header["RateLimit"] = '"client";r=' .. remaining .. ";t=" .. seconds
    ngx.header["RateLimit-Policy"] = '"client";q=${limits.client.requests};w=${limits.client.windowSeconds}'
    for _, name in ipairs({ "Limit", "Remaining", "Reset" }) do ngx.header["X-RateLimit-" .. name] = nil end
    if ngx.status == 429 then ngx.header["Retry-After"] = seconds end
  end
  if ngx.status < 400 or (ngx.header["Content-Type"] or "text/"):sub(1, 5) ~= "text/" then return end
  local problem = problems[ngx.status] or problems[ngx.status >= 500 and 500 or 400]
  if problem.status == 503 then ngx.header["Retry-After"] = ${retryAfterSeconds} end
  ngx.status = problem.status
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.header["Content-Length"] = nil
  ctx.parley_problem = problem
end`;

/** The body to the problem that {@link answerHead} has announced, at the answer's last piece. Of every route. */
export const answerBody = `
return function(conf, ctx)
  local problem = ctx.parley_problem
  if problem == nil then return end
  if not ngx.arg[2] then
    ngx.arg[1] = nil
    return
  end
  ngx.arg[1] = require("apisix.core").json.encode({
    type = problem.type, title = problem.title, status = problem.status, code = problem.code,
    correlationId = ctx.parley_correlation_id,
  })
end`;
