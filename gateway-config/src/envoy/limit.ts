import type { GatewayPolicy } from '../policy/policy.ts';
import { extension, type Fragment } from './typed.ts';

const name = 'parley.limit';
const client = 'client';
/** Under the two in a request's dynamic metadata: what the headers say, when it was decided, whether it was refused. */
const keys = { told: 'told', policy: 'policy', decidedAt: 'decidedAtMs', refused: 'refused' } as const;

/**
 * A window that slides: of any `windowSeconds` a client gets at most `requests` through, and whoever asks for no
 * more is never refused. A client's window is a ring of the times of what was let through; a refused request is not in
 * it. A token bucket of the same size lets twice as many through in its first window, and a fixed window as many around
 * its edge. The state is the worker's, so the gateway runs one; it outlives an update of routes and limits.
 *
 * An error in a Lua filter lets the request pass: nothing here may throw.
 */
export const limitLua = ({ limits: { clientsMax } }: GatewayPolicy): string => `
local clients, known, swept_at, latest = {}, 0, 0, 0

local function window_of(key, capacity)
  local window = clients[key]
  if window == nil then
    if known >= ${clientsMax} then key = "others"; window = clients[key] end
    if window == nil then
      window = { at = {}, first = 0, n = 0, capacity = capacity }
      clients[key] = window
      known = known + 1
    end
  end
  if window.capacity ~= capacity then
    local at, n = {}, math.min(window.n, capacity)
    for i = 0, n - 1 do at[i] = window.at[(window.first + window.n - n + i) % window.capacity] end
    window.at, window.first, window.n, window.capacity = at, 0, n, capacity
  end
  return window
end

local function forget(window, now, window_ms)
  while window.n > 0 and now - window.at[window.first] >= window_ms do
    window.first = (window.first + 1) % window.capacity
    window.n = window.n - 1
  end
end

local function sweep(now, window_ms)
  if now - swept_at < window_ms then return end
  swept_at = now
  for key, window in pairs(clients) do
    forget(window, now, window_ms)
    if window.n == 0 then clients[key] = nil; known = known - 1 end
  end
end

local function count(handle, metadata, key, requests, window_s)
  local window_ms = window_s * 1000
  local now = handle:timestamp()
  if now < latest then clients, known, swept_at = {}, 0, now end -- the clock was set back
  latest = now
  sweep(now, window_ms)
  local window = window_of(key, requests)
  forget(window, now, window_ms)
  local refused = window.n >= requests
  if not refused then
    window.at[(window.first + window.n) % requests] = now
    window.n = window.n + 1
  end
  local seconds = math.ceil((window.at[window.first] + window_ms - now) / 1000)
  metadata:set("${name}", "${client}", {
    ${keys.decidedAt} = now,
    ${keys.told} = '"client";r=' .. (requests - window.n) .. ";t=" .. seconds,
    ${keys.policy} = '"client";q=' .. requests .. ";w=" .. window_s,
    ${keys.refused} = refused,
  })
  if refused then
    handle:respond({ [":status"] = "429", ["retry-after"] = tostring(seconds) }, "")
  end
end
`;

/** What every counted answer says (draft-ietf-httpapi-ratelimit-headers): how much is left, and of what. */
export const limitHeaders: readonly (readonly [string, string])[] = [
  ['ratelimit', `%DYNAMIC_METADATA(${name}:${client}:${keys.told})%`],
  ['ratelimit-policy', `%DYNAMIC_METADATA(${name}:${client}:${keys.policy})%`],
];

/**
 * When the limiter decided, milliseconds since the epoch by its own clock, for the access log: by it, what was let
 * through is counted exactly. The log's own time is that of a request's first byte, which may wait for a busy worker.
 */
export const decidedAtFormat = `%DYNAMIC_METADATA(${name}:${client}:${keys.decidedAt})%`;

/** One counter of refused requests for each route, in the gateway's own metrics. */
export const limitCounter: Fragment = {
  ...extension('limited', 'envoy.extensions.access_loggers.stats.v3.Config', {
    stat_prefix: 'parley_gateway',
    counters: [
      {
        stat: { name: 'limited', tags: [{ name: 'route', value_format: '%ROUTE_NAME%' }] },
        value_fixed: 1,
      },
    ],
  }),
  filter: {
    metadata_filter: {
      matcher: { filter: name, path: [{ key: client }, { key: keys.refused }], value: { bool_match: true } },
      match_if_key_not_found: false,
    },
  },
};
