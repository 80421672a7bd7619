--- Links that show a result without an account.

require "cekura.core" -- preloads cekura.internal
local internal = require "cekura.internal"

local errors = require "cekura.sandbox.errors"
local json = require "cekura.sandbox.json"
local random = require "cekura.sandbox.random"

local handlers = {}

local URL = "https://dashboard.example.com/shared/results/%d?token=%s"

handlers["POST /test_framework/v2/results/{result_id}/create_shareable_link_token/"] =
  function(store, args)
    local result = store.results[args.result_id]
    if not result then return errors.not_found "Result" end
    local expires = args.expire_at
    if expires and expires ~= json.null and internal.timestamp(expires) <= store.now() then
      return errors.bad("expire_at", "This is in the past.")
    end
    store.links = store.links + 1
    local token = random.hex(32, store.seed, store.links, "link")
    return 200, { token = token, shareable_link = URL:format(result.id, token) }
  end

return handlers
