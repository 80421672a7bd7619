--- Compares an API document with the stored documents and with the rows of the contract:
---
---     lua5.4 tools/drift.lua DOCUMENT     `make drift SPEC=DOCUMENT` sets LUA_CPATH and NODE_PATH
---
--- DOCUMENT is OpenAPI 3 in JSON, or in YAML if Node.js has js-yaml. Prints a line for each
--- difference in an operation that has a row. Exits with 1 if there are differences, with 0 if
--- there are none, and with 2 if it cannot compare.

package.path = "tools/?.lua;" .. package.path
local cekura = require "cekura.core"
local openapi = require "openapi"
local rows = require "rows"

local STORED = "spec/conformance"

-- ---- texts ----

--- Returns a value of JSON as text, the same for equal values.
local function text_of(value)
  if type(value) == "number" then return ("%.14g"):format(value) end
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for key, member in pairs(value) do
    parts[#parts + 1] = text_of(key) .. " = " .. text_of(member)
  end
  table.sort(parts)
  return "{ " .. table.concat(parts, ", ") .. " }"
end

--- Splits a description into lines, and these after each sentence. Spaces do not matter.
local function sentences(text)
  local list = {}
  for line in (type(text) == "string" and text or ""):gmatch "[^\r\n]+" do
    local split = line:gsub("%s+", " "):gsub("([.!?]) (%u)", "%1\n%2")
    for part in split:gmatch "[^\n]+" do
      local sentence = part:match "^%s*(.-)%s*$"
      if sentence ~= "" then list[#list + 1] = sentence end
    end
  end
  return list
end

--- Returns lengths[i][j], of the longest common subsequence of old from i and new from j.
local function common_lengths(old, new)
  local lengths = { [#old + 1] = {} }
  for j = 1, #new + 1 do lengths[#old + 1][j] = 0 end
  for i = #old, 1, -1 do
    lengths[i] = { [#new + 1] = 0 }
    for j = #new, 1, -1 do
      lengths[i][j] = old[i] == new[j] and lengths[i + 1][j + 1] + 1
        or math.max(lengths[i + 1][j], lengths[i][j + 1])
    end
  end
  return lengths
end

--- Returns the sentences that differ, one per line after - or +; nil if there are none.
local function difference(old_text, new_text)
  local old, new = sentences(old_text), sentences(new_text)
  if table.concat(old, " ") == table.concat(new, " ") then return nil end
  local lengths, lines, i, j = common_lengths(old, new), {}, 1, 1
  while i <= #old or j <= #new do
    if i <= #old and old[i] == new[j] then
      i, j = i + 1, j + 1
    elseif j > #new or i <= #old and lengths[i + 1][j] >= lengths[i][j + 1] then
      lines[#lines + 1] = "    - " .. old[i]
      i = i + 1
    else
      lines[#lines + 1] = "    + " .. new[j]
      j = j + 1
    end
  end
  return table.concat(lines, "\n")
end

-- ---- the differences of two operations ----

--- The facts of a field that are compared as they are, and those that are true or false.
local FACTS = { "type", "format", "default", "explode" }
table.move(openapi.LIMITS, 1, #openapi.LIMITS, #FACTS + 1, FACTS)
local FLAGS = { "required", "nullable", "deprecated" }

--- Returns how a difference names a field: query field "page".
local function label(field)
  if field.path == "" then return field.place end
  return ('%s field "%s"'):format(field.place, field.path)
end

--- Returns a field in short: (string, date-time, required).
local function in_short(field)
  local words = { field.type, field.format }
  if field.enum then words[#words + 1] = "enum" end
  for _, flag in ipairs(FLAGS) do
    if field[flag] then words[#words + 1] = flag end
  end
  return "(" .. table.concat(words, ", ") .. ")"
end

--- Reports the flags, of a field or of an operation, that only one of two nodes has.
local function compare_flags(report, name, old, new, flags)
  for _, flag in ipairs(flags) do
    local before, after = old[flag] or false, new[flag] or false
    if before ~= after then report("%s%s %s", name, after and "now" or "no longer", flag) end
  end
end

--- Reports the words of an enum that only one of two fields has.
local function compare_enums(report, name, old, new)
  if not old.enum or not new.enum then
    if old.enum then report("%sno longer an enum", name) end
    if new.enum then report("%snow an enum of %s", name, table.concat(new.enum, ", ")) end
    return
  end
  local function report_words(what, list, others)
    local known = {}
    for _, word in ipairs(others) do known[word] = true end
    for _, word in ipairs(list) do
      if not known[word] then report("%s%s value %s", name, what, text_of(word)) end
    end
  end
  report_words("new", new.enum, old.enum)
  report_words("removed", old.enum, new.enum)
end

local function compare_descriptions(report, name, old, new)
  local lines = difference(old, new)
  if lines then report("%s changed:\n%s", name, lines) end
end

local function compare_fields(report, old, new)
  local name = label(new) .. ": "
  for _, fact in ipairs(FACTS) do
    local before, after = text_of(old[fact]), text_of(new[fact])
    if before ~= after then report("%s%s was %s, now %s", name, fact, before, after) end
  end
  compare_flags(report, name, old, new, FLAGS)
  compare_enums(report, name, old, new)
  compare_descriptions(report, name .. "description", old.description, new.description)
end

--- Returns the keys of both maps, sorted.
local function keys_of(a, b)
  local list = {}
  for key in pairs(a) do list[#list + 1] = key end
  for key in pairs(b) do
    if a[key] == nil then list[#list + 1] = key end
  end
  table.sort(list)
  return list
end

--- Compares the fields of two operations. Reports those that only one has, without those below such
--- a field. Calls note(key) before it reports anything about a field.
local function compare_all_fields(report, note, old, new)
  for _, key in ipairs(keys_of(old, new)) do
    local before, after = old[key], new[key]
    local parent = (before or after).parent
    if before and after then
      compare_fields(function(...)
        note(key)
        report(...)
      end, before, after)
    else
      note(key)
      if not parent or old[parent] and new[parent] then
        local field = before or after
        report("%s %s %s", before and "removed" or "new", label(field), in_short(field))
      end
    end
  end
end

--- Compares two operations. Calls note(key) before it reports anything about a field, or about the
--- operation's place (key "").
local function compare_operations(report, note, old, new, new_fields)
  if openapi.place(old.method, old.path) ~= openapi.place(new.method, new.path) then
    note ""
    report("moved from %s %s to %s %s", old.method, old.path, new.method, new.path)
  elseif old.id ~= new.id then
    note ""
    report("operationId was %s, now %s", old.id, new.id)
  end
  compare_flags(report, "", old.node, new.node, { "deprecated" })
  compare_descriptions(report, "summary", old.node.summary, new.node.summary)
  compare_descriptions(report, "description", old.node.description, new.node.description)
  compare_all_fields(report, note, openapi.fields(old), new_fields)
end

-- ---- documents ----

--- Ends the program, because it cannot compare.
local function fail(text, ...)
  io.stderr:write(text:format(...), "\n")
  os.exit(2)
end

--- Returns what a command prints, or nil.
local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  local text = pipe:read "a"
  return pipe:close() and text or nil
end

--- Returns the text of a file in JSON, or nil and the problem.
local function read(path)
  local file <close>, problem = io.open(path)
  if not file then return nil, problem:match ": (.*)" end
  local text
  text, problem = file:read "a"
  if not text then return nil, problem end
  if not path:find "%.ya?ml$" then return text end
  local converted = output_of(("node tools/conformance/schemas.js '%s'"):format(
    path:gsub("'", [['\'']])))
  return converted, "cannot be converted to JSON: `make drift` installs what is missing"
end

--- Returns the operations of a document.
local function load_operations(path)
  local text, problem = read(path)
  local document
  if text then document, problem = openapi.parse(text) end
  if not document then fail("%s: %s", path, problem) end
  return openapi.operations(rows.correct(document))
end

--- Returns the stored documents, each a list of operations with its name.
local function stored_documents()
  local list = {}
  local names = output_of("ls " .. STORED) or fail "Run this in the folder of the project."
  for name in names:gmatch "[^\n]+%.json" do
    local document = load_operations(STORED .. "/" .. name)
    document.name = name
    list[#list + 1] = document
  end
  return list
end

--- Returns a list of { row, old, document, new }: the operation in a stored document, and in the
--- new one. Either may be nil. `documents` are the stored ones.
local function pair_up(documents, operations)
  local list = {}
  for _, row in ipairs(cekura.endpoints) do
    local pair = { row = row }
    for _, document in ipairs(documents) do
      local old = openapi.find(document, row.method, row.path, row.operation)
      if old then pair.old, pair.document = old, document end
    end
    local known = pair.old or { method = row.method, path = row.path, id = row.operation }
    pair.new = openapi.find(operations, known.method, known.path, known.id)
    list[#list + 1] = pair
  end
  return list
end

--- Returns the only stored document that has operations in common with the document; or nil, and
--- whether there are several.
local function common_document(pairs_of_rows)
  local common
  for _, pair in ipairs(pairs_of_rows) do
    if pair.new and common and pair.document ~= common then return nil, true end
    if pair.new then common = pair.document end
  end
  return common, common ~= nil
end

-- ---- the program ----

--- Reports the differences in the operation of a row.
local function compare(report, row, old, new)
  if not new then return report("removed (%s %s)", row.method, row.path) end
  local noted, fields = {}, openapi.fields(new)
  local function note(key) noted[key] = true end
  if old then compare_operations(report, note, old, new, fields) end
  for _, difference_of_row in ipairs(rows.differences(row, new, fields)) do
    local key, text = difference_of_row.key, difference_of_row.text
    if not noted[key] then report("%s%s", key == "" and "" or key .. ": ", text) end
  end
end

local function main(path)
  if not path or path == "" or arg[2] then fail "usage: make drift SPEC=openapi.json" end
  local pairs_of_rows = pair_up(stored_documents(), load_operations(path))
  local only, has_common = common_document(pairs_of_rows)
  if not has_common then fail("%s: has none of the operations of %s", path, STORED) end
  local differences, operations = 0, 0
  for _, pair in ipairs(pairs_of_rows) do
    if not only or pair.document == only then
      operations = operations + 1
      compare(function(text, ...)
        differences = differences + 1
        print(pair.row.name .. ": " .. text:format(...))
      end, pair.row, pair.old, pair.new)
    end
  end
  if only then print(("Only the operations of %s are in the document."):format(only.name)) end
  print(("differences: %d, in %d operations"):format(differences, operations))
  return differences == 0
end

local ok, is_same = pcall(main, arg[1])
if not ok then fail("%s: not as OpenAPI defines it: %s", arg[1], is_same) end
os.exit(is_same and 0 or 1)
