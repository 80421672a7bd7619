--- The options of sandbox.start.

local fields = require "cekura.sandbox.fields"
local rules = require "cekura.sandbox.rules"

local options = {}

local START = {
  port = { type = "integer", min = 0, max = 65535, default = 0 },
  api_key = { type = "key", default = "sandbox-key" },
  evaluation_time = { type = "number", min = 0, default = 0.2 },
  balance = { type = "number", min = 0, default = 10000 },
  credits_per_evaluation = { type = "number", min = 0, default = 1 },
  seed = { type = "integer", default = 1 },
  faults = { type = "table", default = {} },
  optimiser = { type = "optimiser", default = "improves" },
  rate_limit = { type = "table" },
  record = { type = "cap", default = true },
  log = { type = "boolean", default = false },
  now = { type = "integer", min = 0, max = 253402300799 }, -- the end of the year 9999
}

local RATE_LIMIT = {
  per_second = { type = "number", min = 0, required = true },
  retry_after = { type = "number", min = 0, max = 2 ^ 53, default = 1 },
}

--- How many requests are kept where nobody says.
local DEFAULT_RECORD = 10000

--- The options of sandbox.start, complete and ready to cross to the server's state.
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
