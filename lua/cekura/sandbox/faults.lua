--- Misbehaviour on request: rules that say which requests get something else than their answer.

local json = require "cekura.sandbox.json"

---@class cekura.sandbox.Faults
local Faults = {}
Faults.__index = Faults

---@param rules table[] as rules.lua leaves them
function Faults.new(rules)
  local list = {}
  for i, rule in ipairs(rules) do
    list[i] = setmetatable({ left = rule.times, to_skip = rule.skip, times_applied = 0 },
      { __index = rule })
  end
  return setmetatable({ rules = list }, Faults)
end

--- The path of a rule as a Lua pattern. Without captures, "%20" is a text.
function Faults.pattern_of(path)
  if path:find("(", 1, true) then return path end
  return (path:gsub("%%([0-9][0-9A-Fa-f])", "%%%%%1"))
end

--- Whether a request's path contains that of a rule, read as a text or as a Lua pattern.
function Faults.fits_path(rule_path, path)
  if path:find(rule_path, 1, true) then return true end
  local ok, found = pcall(string.find, path, Faults.pattern_of(rule_path)) -- it may be malformed
  return ok and found ~= nil
end

local function fits(rule, method, path)
  return rule.left > 0 and (not rule.method or rule.method == method)
    and (not rule.path or Faults.fits_path(rule.path, path))
end

--- The first rule for this request that is not used up, and uses it once; nil where there is none.
function Faults:take(method, path)
  for _, rule in ipairs(self.rules) do
    if fits(rule, method, path) then
      if rule.to_skip == 0 then
        rule.left = rule.left - 1
        rule.times_applied = rule.times_applied + 1
        return rule
      end
      rule.to_skip = rule.to_skip - 1
    end
  end
end

--- How often each rule has applied, in the order of the rules.
function Faults:state()
  local list = {}
  for i, rule in ipairs(self.rules) do list[i] = { times_applied = rule.times_applied } end
  return list
end

--- Whether the rule puts something else in the place of the real answer.
function Faults.replaces(rule)
  return rule.status ~= nil or rule.body ~= nil or rule.drop
end

local JSON_TYPE, HTML_TYPE = "application/json", "text/html; charset=utf-8"

--- The text of the body that a rule puts in the place of the real one, and its type.
function Faults.body(rule)
  if rule.body then return rule.body, rule.body:find "^%s*<" and HTML_TYPE or JSON_TYPE end
  if rule.status == 204 or rule.status == 304 then return "", nil end
  return json.encode { detail = ("The sandbox was told to answer %d."):format(rule.status or 200) },
    JSON_TYPE
end

return Faults
