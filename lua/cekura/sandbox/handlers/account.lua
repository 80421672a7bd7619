--- The account: credits and subscription.

local views = require "cekura.sandbox.views"

local handlers = {}

handlers["GET /test_framework/billing/info/"] = function(store)
  return 200, views.billing(store)
end

return handlers
