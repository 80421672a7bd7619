--- The fault rules at work: which rule applies to a request, how often, and the body it sends. The
--- rules have been checked by rules.lua.

local json = require "cekura.sandbox.json"

---@class cekura.sandbox.Faults
local Faults = {}
Faults.__index = Faults

---@param rules table[] of rules.read
function Faults.new(rules)
  local list = {}
  for i, rule in ipairs(rules) do
    list[i] = setmetatable({ left = rule.times, to_skip = rule.skip, times_applied = 0 },
      { __index = rule })
  end
  return setmetatable({ rules = list }, Faults)
end

--- Returns the path of a rule as a Lua pattern. Without captures, "%20" is a text.
function Faults.pattern_of(path)
  if path:find("(", 1, true) then return path end
  return (path:gsub("%%([0-9][0-9A-Fa-f])", "%%%%%1"))
end

--- Returns whether a request's path contains that of a rule, as a text or as a Lua pattern.
function Faults.fits_path(rule_path, path)
  if path:find(rule_path, 1, true) then return true end
  local ok, found = pcall(string.find, path, Faults.pattern_of(rule_path)) -- it may be malformed
  return ok and found ~= nil
end

--- Returns the first rule that matches the request and is not used up, and counts it; or nil.
function Faults:take(method, path)
  for _, rule in ipairs(self.rules) do
    if rule.left > 0 and (not rule.method or rule.method == method)
      and (not rule.path or Faults.fits_path(rule.path, path)) then
      if rule.to_skip == 0 then
        rule.left = rule.left - 1
        rule.times_applied = rule.times_applied + 1
        return rule
      end
      rule.to_skip = rule.to_skip - 1
    end
  end
end

--- Returns how often each rule has applied, in the order of the rules.
function Faults:state()
  local list = {}
  for i, rule in ipairs(self.rules) do list[i] = { times_applied = rule.times_applied } end
  return list
end

--- Returns whether the rule replaces the real response.
function Faults.replaces(rule)
  return rule.status ~= nil or rule.body ~= nil or rule.drop
end

local JSON_TYPE, HTML_TYPE = "application/json", "text/html; charset=utf-8"

--- Returns the body of a rule that replaces the response, and its media type.
function Faults.body(rule)
  if rule.body then return rule.body, rule.body:find "^%s*<" and HTML_TYPE or JSON_TYPE end
  if rule.status == 204 or rule.status == 304 then return "", nil end
  return json.encode { detail = ("A fault rule sent status %d."):format(rule.status or 200) },
    JSON_TYPE
end

return Faults
