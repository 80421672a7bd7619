--- HTML templates. Values are escaped unless a template made them, so that text from a server
--- cannot become markup.
---
---     local item = html.template '<li title="{hint}">{text}</li>'
---     item { hint = 'say "hi"', text = "<b>" }  --> <li title="say &quot;hi&quot;">&lt;b&gt;</li>

local text = require "cekura.review.internal.text"

local html = {}

local Markup = {}
Markup.__index = Markup

function Markup:__tostring() return self.text end

local REPLACEMENT = "\u{FFFD}"

local ENTITIES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;",
}

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
  local valid = text.utf8(tostring(value), REPLACEMENT):gsub("\r\n?", "\n")
  for _, pattern in ipairs(UNWANTED) do valid = valid:gsub(pattern, REPLACEMENT) end
  return (valid:gsub("[&<>\"']", ENTITIES))
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
function html.trusted(markup) return setmetatable({ text = markup }, Markup) end

--- Returns a function that replaces each {name} in a text by its value.
---@param markup string
---@return fun(values: table): table markup
function html.template(markup)
  return function(values)
    local filled = markup:gsub("{([%w_]+)}", function(name)
      if values[name] == nil then error(("the template has no value for {%s}"):format(name), 2) end
      return written(values[name])
    end)
    return html.trusted(filled)
  end
end

--- Returns the results of make(item, ...) for a list.
function html.each(list, make, ...)
  local made = {}
  for i, item in ipairs(list) do made[i] = make(item, ...) end
  return made
end

-- The policy prevents the page from loading anything and from running scripts.
local document = html.template [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}</body>
</html>
]]

--- Returns a whole page.
---@param title string
---@param style string a style sheet
---@param body table markup
---@return string
function html.document(title, style, body)
  return document { title = title, style = html.trusted(style), body = body }.text
end

return html
