import type { GatewayPolicy } from '../policy/policy.ts';
import type { Fragment } from './typed.ts';

/**
 * Envoy traces a request that has it. It decides at the request's arrival, where nothing can count, and again when the
 * request's route is looked up anew: so a filter adds this header and drops the route.
 */
const begun = 'x-client-trace-id';

/** Of a trace context that a client sent, Envoy takes the sampled flag; what is decided here is then not heeded. */
export const samplingShares: Fragment = { client_sampling: { value: 100 }, random_sampling: { value: 0 } };

/** A client's own, which would have every request traced. */
export const samplingStripped: readonly string[] = [begun];

/** What no service is told of. */
export const samplingInternal: readonly string[] = [begun];

/**
 * Begins at most so many traces of a route in a second of the clock; a fixed window, as nobody is refused anything. Who
 * sends a context takes none of them.
 */
export const samplingLua = ({ traces }: GatewayPolicy): string => `
local second, begun = 0, {}

local function decide_on_trace(handle, headers)
  local trace, span = string.match(headers:get("traceparent") or "", "^%x%x%-(%x+)%-(%x+)%-%x%x$")
  if trace ~= nil and #trace == 32 and #span == 16 then return end
  local now = math.floor(handle:timestamp() / 1000)
  if now ~= second then second, begun = now, {} end
  local route = handle:streamInfo():routeName()
  local count = (begun[route] or 0) + 1
  if count > ${traces.begunPerSecondMax} then return end
  begun[route] = count
  headers:replace("${begun}", "1")
  handle:clearRouteCache()
end
`;
