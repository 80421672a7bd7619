--- Misbehaviour on request: rules that say which requests get something else than their answer.

---@class cekura.sandbox.Faults
local Faults = {}
Faults.__index = Faults

---@param rules table[] as options.lua leaves them
function Faults.new(rules)
  local list = {}
  for i, rule in ipairs(rules) do
    list[i] = setmetatable({ left = rule.times or 1, to_skip = rule.skip or 0 }, { __index = rule })
  end
  return setmetatable({ rules = list }, Faults)
end

local function fits(rule, method, path)
  return rule.left > 0 and (not rule.method or rule.method == method)
    and (not rule.path or path:find(rule.path) ~= nil)
end

--- The first rule for this request that is not used up, and uses it once; nil where there is none.
function Faults:take(method, path)
  for _, rule in ipairs(self.rules) do
    if fits(rule, method, path) then
      if rule.to_skip == 0 then
        rule.left = rule.left - 1
        return rule
      end
      rule.to_skip = rule.to_skip - 1
    end
  end
end

--- Whether the rule puts something else in the place of the real answer.
function Faults.replaces(rule)
  return rule.status ~= nil or rule.body ~= nil or rule.drop
end

return Faults
