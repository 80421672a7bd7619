--- Whether a text is a Lua pattern. string.find reports a malformed one only if a match gets as far
--- as the fault, so that the rules of a sandbox cannot rely on it.

local pattern = {}

local MAX_CAPTURES = 32 -- Lua's LUA_MAXCAPTURES

--- The position after the set that begins at `at`; nil without its end.
local function after_set(text, at)
  at = text:sub(at + 1, at + 1) == "^" and at + 2 or at + 1
  repeat
    if at > #text then return nil end
    at = at + (text:sub(at, at) == "%" and 2 or 1)
  until text:sub(at, at) == "]"
  return at + 1
end

--- The position after a single character or class, and its quantifier.
local function after_quantifier(text, at)
  return text:find("^[*+?-]", at) and at + 1 or at
end

--- The position after the item that begins with a percent sign; nil and a problem.
local function after_escape(text, at, is_closed)
  local class = text:sub(at + 1, at + 1)
  if class == "" then
    return nil, "it ends with '%'"
  elseif class == "b" then
    if #text < at + 3 then return nil, "'%b' needs two characters" end
    return at + 4
  elseif class == "f" then
    local set_end = text:sub(at + 2, at + 2) == "[" and after_set(text, at + 2)
    if not set_end then return nil, "'%f' needs a set" end
    return set_end
  elseif class:find "[0-9]" then
    if not is_closed[tonumber(class)] then
      return nil, ("there is no capture %%%s (a percent sign is written %%%%)"):format(class)
    end
    return at + 2
  end
  return after_quantifier(text, at + 2)
end

--- The position after a parenthesis; nil and a problem.
local function after_parenthesis(char, at, captures)
  if char == "(" then
    captures.count = captures.count + 1
    if captures.count > MAX_CAPTURES then return nil, "it has more than 32 captures" end
    table.insert(captures.open, captures.count)
  else
    if #captures.open == 0 then return nil, "')' closes no capture" end
    captures.is_closed[table.remove(captures.open)] = true
  end
  return at + 1
end

--- The position after the item at `at`; nil and a problem.
local function after_item(text, at, captures)
  local char = text:sub(at, at)
  if char == "(" or char == ")" then return after_parenthesis(char, at, captures) end
  if char == "%" then return after_escape(text, at, captures.is_closed) end
  if char ~= "[" then return after_quantifier(text, at + 1) end
  local set_end = after_set(text, at)
  if not set_end then return nil, "a set has no ']'" end
  return after_quantifier(text, set_end)
end

--- What is wrong with `text` as a Lua pattern; nil if nothing is.
---@param text string
---@return string?
function pattern.problem_with(text)
  if not text:find "[%^$*+?.(%[%%-]" then return nil end -- string.find takes it as it is
  local captures = { count = 0, open = {}, is_closed = {} }
  local at, problem = text:sub(1, 1) == "^" and 2 or 1, nil
  while at and at <= #text do at, problem = after_item(text, at, captures) end
  return problem or #captures.open > 0 and "a capture has no ')'" or nil
end

return pattern
