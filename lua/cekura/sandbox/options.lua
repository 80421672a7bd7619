--- The options of sandbox.start: a row for each, with its default. `internal.check_options` checks
--- them; the fault rules among them are checked by rules.lua.

local fields = require "cekura.sandbox.fields"
local rules = require "cekura.sandbox.rules"

local options = {}

local LAST_SECOND = 253402300799 -- of the year 9999
local DEFAULT_RECORD = 10000 -- requests that are kept

local function is_key(value) return type(value) == "string" and value:find "^[\33-\126]+$" end

local function is_seed(value) return type(value) == "number" and math.tointeger(value) end

local function is_ending(value)
  return value == "improves" or value == "fails" or value == "asks"
end

local function is_record(value)
  return type(value) == "boolean"
    or type(value) == "number" and math.tointeger(value) and value >= 0
end

local START = {
  { "port", "integer", 0, 65535, default = 0 },
  { "api_key", is_key, wanted = "a string of visible ASCII characters", default = "sandbox-key" },
  { "evaluation_time", "number", 0, math.huge, default = 0.2 },
  { "balance", "number", 0, math.huge, default = 10000 },
  { "credits_per_evaluation", "number", 0, math.huge, default = 1 },
  { "seed", is_seed, wanted = "a whole number", default = 1 },
  { "faults", "table", default = {} },
  { "optimiser", is_ending, wanted = '"improves", "fails" or "asks"', default = "improves" },
  { "votes_feed_lab", "boolean", default = false },
  { "rate_limit", "table" },
  { "record", is_record, wanted = "true, false or a number of requests", default = DEFAULT_RECORD },
  { "log", "boolean", default = false },
  { "now", "integer", 0, LAST_SECOND },
}

local RATE_LIMIT = {
  { "per_second", "number", 0, math.huge, required = true },
  { "retry_after", "number", 0, 2 ^ 53, default = 1 },
}

--- Returns the options, complete and ready to cross to the server's state. Raises if one is wrong.
---@param given table?
---@return table
function options.start(given)
  if given == nil then given = {} end
  local config = fields.read(given, START, "options")
  config.faults = rules.read(config.faults, "options.faults")
  if config.rate_limit then
    config.rate_limit = fields.read(config.rate_limit, RATE_LIMIT, "options.rate_limit")
  end
  config.now = config.now or os.time()
  if config.record == true then config.record = DEFAULT_RECORD end
  config.record = config.record or 0
  return config
end

return options
