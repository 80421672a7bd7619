--- Public links to a result (create-shareable-link-token_3 of the API's document).

local internal = require "cekura.internal"
local times = require "cekura.review.internal.times"

local sharing = {}

local UNITS = { m = 60, h = 3600, d = 86400 }
local LONGEST = 366 * 86400

--- Parses an option that is a duration: "30m", "12h", "7d". Returns seconds.
function sharing.duration(given)
  local number, unit = given:match "^(%d%d?%d?%d?%d?%d?)([mhd])$"
  local seconds = unit and math.tointeger(tonumber(number)) * UNITS[unit]
  if seconds and seconds > 0 and seconds <= LONGEST then return seconds end
  return nil, ("'%s' is not a duration up to a year, such as 7d, 12h or 30m"):format(given)
end

--- Creates a link with which anybody can read a result.
---@param result_id integer
---@param seconds integer until it ends
---@return cekura.review.Link? link
---@return string? problem
function sharing.create(client, result_id, seconds)
  local expires_at = times.utc(os.time() + seconds)
  local value, err = client.results:create_shareable_link_token {
    result_id = result_id, expire_at = expires_at }
  if value == nil then return nil, tostring(err) end
  local url = type(value) == "table" and value.shareable_link
  if type(url) ~= "string" then
    return nil, tostring(internal.error("response", "the response has no shareable_link"))
  end
  return { url = url, expires_at = expires_at }
end

return sharing
