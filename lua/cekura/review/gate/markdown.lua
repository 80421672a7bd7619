--- Markdown of GitHub and GitLab for pages that a pipeline shows.
--- Text from a server is escaped, so that it is read as it is written.

local text = require "cekura.review.internal.text"

local markdown = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

--- Returns the value as text in which nothing is markup, on one line.
---@param value any nil gives "-"
---@param longest integer? characters; a longer text is cut
function markdown.text(value, longest)
  if value == nil then return "-" end
  local line = text.line(text.utf8(tostring(value), ""))
  local last = longest and utf8.offset(line, longest + 1)
  if last and last <= #line then line = line:sub(1, last - 1) .. "…" end
  return (line:gsub("[&<>]", ENTITIES):gsub("[\\`*_%[%]#|~$]", "\\%0"))
end

--- Returns a link. Any URL but one of http or https is only shown.
---@param label string
---@param url string
function markdown.link(label, url)
  if not url:find "^https?://[!-~]+$" or url:find "[<>\\]" then
    return ("%s: %s"):format(markdown.text(label), markdown.text(url))
  end
  return ("[%s](<%s>)"):format(markdown.text(label), url)
end

--- Returns rows as a table.
---@param rows string[][] Markdown; the first row has the heads
function markdown.table(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    lines[#lines + 1] = "| " .. table.concat(row, " | ") .. " |\n"
    if i == 1 then lines[2] = "|" .. (" --- |"):rep(#row) .. "\n" end
  end
  return table.concat(lines)
end

return markdown
