--- HTML templates. Values are escaped unless a template made them, so that text from a server
--- cannot become markup.
---
---     local item = html.template '<li title="{hint}">{text}</li>'
---     item { hint = 'say "hi"', text = "<b>" }  --> <li title="say &quot;hi&quot;">&lt;b&gt;</li>

local html = {}

local Markup = {}
Markup.__index = Markup

function Markup:__tostring() return self.text end

local REPLACEMENT = "\u{FFFD}"

local ENTITIES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;",
}

--- Returns the text with a replacement character for each byte that is not UTF-8.
local function valid(text)
  local parts, from = {}, 1
  local length, bad = utf8.len(text)
  while not length do
    parts[#parts + 1] = text:sub(from, bad - 1) .. REPLACEMENT
    from = bad + 1
    length, bad = utf8.len(text, from)
  end
  return table.concat(parts) .. text:sub(from)
end

-- Patterns of characters that are replaced.
local UNWANTED = {
  "[\0-\8\11\12\14-\31\127]", "\xC2[\x80-\x9F]",  -- control characters
  "\xEF\xBF[\xBE\xBF]",                            -- U+FFFE and U+FFFF, which HTML forbids
  "\xE2\x80[\xAA-\xAE]", "\xE2\x81[\xA6-\xA9]",   -- they change the direction of text
}

--- Returns text for the content of an element or for a quoted attribute.
---@param value string|number
---@return string
function html.escape(value)
  local text = valid(tostring(value)):gsub("\r\n?", "\n")
  for _, pattern in ipairs(UNWANTED) do text = text:gsub(pattern, REPLACEMENT) end
  return (text:gsub("[&<>\"']", ENTITIES))
end

--- Returns the HTML of a value: markup unchanged, the items of a list, nothing for false.
local function written(value)
  if value == false then return "" end
  if getmetatable(value) == Markup then return value.text end
  if type(value) ~= "table" then return html.escape(value) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = written(item) end
  return table.concat(parts)
end

--- Returns a text as markup, unescaped. It must not come from a server.
function html.trusted(text) return setmetatable({ text = text }, Markup) end

--- Returns a function that replaces each {name} in a text by its value.
---@param text string
---@return fun(values: table): table markup
function html.template(text)
  return function(values)
    local filled = text:gsub("{([%w_]+)}", function(name)
      if values[name] == nil then error(("the template has no value for {%s}"):format(name), 2) end
      return written(values[name])
    end)
    return html.trusted(filled)
  end
end

return html
