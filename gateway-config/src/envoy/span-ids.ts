import { extension, type Fragment } from './typed.ts';

/**
 * A report is a list of spans (zipkin.proto): field 1, length, span. Of a span come first, in this order, its trace id
 * (field 1, right as it is), its parent's id (2) and its own (3), each eight bytes.
 */
const lua = `
local function varint(bytes, at)
  local value, unit = 0, 1
  repeat
    local byte = string.byte(bytes, at) or 0
    value, unit, at = value + byte % 128 * unit, unit * 128, at + 1
  until byte < 128
  return value, at
end

local function with_span_ids_reversed(bytes)
  local out, from, at = {}, 1, 1
  while string.byte(bytes, at) == 0x0a do
    local length, field = varint(bytes, at + 1)
    at = field + length
    while field < at do
      local tag, size = string.byte(bytes, field, field + 1)
      if tag > 0x1a then break end
      if tag ~= 0x0a and size == 8 then
        out[#out + 1] = string.sub(bytes, from, field + 1)
        out[#out + 1] = string.reverse(string.sub(bytes, field + 2, field + 9))
        from = field + 10
      end
      field = field + 2 + size
    end
  end
  out[#out + 1] = string.sub(bytes, from)
  return table.concat(out)
end

function envoy_on_request(handle)
  local body = handle:body()
  if body ~= nil then body:setBytes(with_span_ids_reversed(body:getBytes(0, body:length()))) end
end
`;

/**
 * On the way to Zipkin, mends what Envoy 1.40 writes into a span as protobuf: the bytes of its ids in the order of the
 * machine, so that no span of a service would find its parent. As JSON they are right, and cost the gateway more than all
 * its other work together.
 */
export const spanIdFilters: readonly Fragment[] = [
  extension('parley.span-ids', 'envoy.extensions.filters.http.lua.v3.Lua', {
    default_source_code: { inline_string: lua },
  }),
  extension(
    'envoy.filters.http.upstream_codec',
    'envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec',
  ),
];
