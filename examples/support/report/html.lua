--- HTML from templates. Whatever is put into a template is escaped, unless a template made it: text
--- from elsewhere cannot become markup, wherever it is put.
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

--- With a replacement character for each byte that is no UTF-8.
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

--- What a page does not get, escaped or not.
local UNWANTED = {
  "[\0-\8\11\12\14-\31\127]", "\xC2[\x80-\x9F]",  -- control characters
  "\xEF\xBF[\xBE\xBF]",                            -- U+FFFE and U+FFFF: HTML forbids them
  "\xE2\x80[\xAA-\xAE]", "\xE2\x81[\xA6-\xA9]",   -- they turn the text around that follows
}

local function printable(text)
  text = text:gsub("\r\n?", "\n")
  for _, pattern in ipairs(UNWANTED) do text = text:gsub(pattern, REPLACEMENT) end
  return text
end

--- Text that stands for itself, between tags and in a quoted attribute.
---@param value string|number
---@return string
function html.escape(value)
  return (printable(valid(tostring(value))):gsub("[&<>\"']", ENTITIES))
end

local function is_list(value) return type(value) == "table" and getmetatable(value) == nil end

--- What stands in the page for a value: markup as it is, a list item by item, false for nothing.
local function written(value)
  if value == false then return "" end
  if getmetatable(value) == Markup then return value.text end
  if not is_list(value) then return html.escape(value) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = written(item) end
  return table.concat(parts)
end

--- Text of our own that is markup already, such as a style sheet.
function html.trusted(text) return setmetatable({ text = text }, Markup) end

--- A function that fills in the {names} of a text.
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
