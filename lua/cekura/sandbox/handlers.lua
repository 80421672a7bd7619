--- The handlers of the endpoints, by method and path. A handler gets the store, the arguments,
--- whose types have been checked, the request and the version of the API. It returns a status and
--- the value of the body. The reads of version 1 have the handlers of version 2.

local handlers = {}

local SUBJECTS = {
  "account", "evaluations", "links", "metrics", "optimiser", "reads", "test_sets", "votes",
}

for _, subject in ipairs(SUBJECTS) do
  for route, handler in pairs(require("cekura.sandbox.handlers." .. subject)) do
    handlers[route] = handler
  end
end

return handlers
