import { httpHeaders } from '@parley/contracts/headers';
import type { Route } from '../policy/routes.ts';
import type { Fragment } from './typed.ts';

/**
 * A client that says how long it waits is believed up to the route's time. A header that stands twice, or is no number,
 * says nothing and is dropped. An error here would let the request pass as it came.
 */
export const deadlineLua = `
local function settle_deadline(handle, headers)
  local asked = headers:get("${httpHeaders.timeoutMs}")
  if asked == nil then return end
  local once = headers:getNumValues("${httpHeaders.timeoutMs}") == 1
  headers:remove("${httpHeaders.timeoutMs}")
  local limit = handle:filterContext():get("timeoutMs")
  if limit ~= nil and once and #asked <= 9 and string.find(asked, "^%d+$") ~= nil then
    headers:add("${httpHeaders.timeoutMs}", string.format("%d", math.min(tonumber(asked), limit)))
  end
end
`;

/** What a route has for {@link deadlineLua}, by the name of the filter that runs it. */
export const deadlineContext = ({ timeoutMs }: Route): Fragment => ({ timeoutMs });

/**
 * Tells the service how long its answer is awaited when the client does not: as long as the route lasts. All that the
 * service asks of others lies within it.
 */
export const deadlineHeader = ({ timeoutMs }: Route): Fragment => ({
  header: { key: httpHeaders.timeoutMs, value: String(timeoutMs) },
  append_action: 'ADD_IF_ABSENT',
});
