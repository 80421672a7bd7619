--- The rows of the endpoints that the sandbox serves: those of the contract, and the reads of
--- version 1, which the API still serves and has deprecated.

local core = require "cekura.core"

--- The endpoints with a read of version 1. It has the same fields.
local HAD_VERSION_1 = {
  ["results.get"] = true, ["results.list"] = true, ["runs.get"] = true, ["runs.bulk"] = true,
  ["calls.get"] = true, ["calls.list"] = true, ["metrics.get"] = true, ["metrics.update"] = true,
}

--- Returns a copy of a row of version 2 with the path of version 1.
local function deprecated(row)
  local copy = {}
  for key, value in pairs(row) do copy[key] = value end
  copy.path, copy.is_deprecated = row.path:gsub("/v2/", "/v1/", 1), true
  return copy
end

local rows = {}

for _, row in ipairs(core.endpoints) do
  rows[#rows + 1] = row
  if HAD_VERSION_1[row.name] and row.path:find("/v2/", 1, true) then
    rows[#rows + 1] = deprecated(row)
  end
end

return rows
