--- The two steps of `votes`: a vote for each row, then, with --lab, a test set for each call. An
--- item of a step is { rows }; the journal has a key for each item.

local cekura = require "cekura"
local arguments = require "cekura.review.votes.arguments"
local hash = require "cekura.review.internal.hash"

local steps = {}

---@class cekura.review.VoteStep
---@field name string of its items
---@field data string of its numbers in --json
---@field plan string a format
---@field counts string a format
---@field unknown string a format: what to do about unknown items
---@field left string why a row was not accepted if its item was not started
---@field maybe string the same if it is unknown whether its item was done
---@field items fun(rows: cekura.review.VoteRow[]): { rows: cekura.review.VoteRow[] }[]
---@field key fun(item: table): string
---@field send fun(client: table, item: table, options: table?): any, any

-- ---- keys ----

--- Returns a key of the journal: a name, and a hash of the texts. A corrected row has another key,
--- and is sent.
local function key_of(name, texts)
  return ("%s:%016x"):format(name, hash.fnv(table.concat(texts, "\0") .. "\0"))
end

--- The last vote on a target counts. A vote is therefore sent again after another one on its target
--- and metric.
function steps.group(key) return key:match "^(.+):%x+$" end

--- Another spelling of an id is the same row: 5544.0 is 5544.
local function key_of_row(row)
  local texts = {}
  for i, field in ipairs(row.kind.endpoint.fields) do
    local text = row.fields[field.name] or ""
    texts[i] = field.type == "integer" and arguments.id(text) or text
  end
  return key_of(row.pair, texts)
end

-- ---- votes ----

steps.votes = {
  name = "rows", data = "votes",
  plan = "Votes to send: %d, without those that the journal has as done.",
  counts = "ok %d, failed %d, skipped %d, unknown %d",
  unknown = "it is unknown whether %d rows arrived: run the same command again, because a vote "
    .. "that arrives twice counts once",
  left = "it was not sent", maybe = "it is unknown whether it arrived",
}

function steps.votes.items(rows)
  local items = {}
  for i, row in ipairs(rows) do items[i] = { rows = { row } } end
  return items
end

function steps.votes.key(item) return key_of_row(item.rows[1]) end

function steps.votes.send(client, item, options)
  local row = item.rows[1]
  return row.kind.vote(client, row.vote, options)
end

-- ---- test sets ----

steps.test_sets = {
  name = "test sets", data = "test_sets",
  plan = "Test sets to create: %d, without those that the journal has as done.",
  counts = "test sets: ok %d, failed %d, skipped %d, unknown %d",
  unknown = "it is unknown whether %d test sets were created: run the same command again, because "
    .. "one that exists is used again",
  left = "its test set was not created", maybe = "it is unknown whether its test set was created",
}

--- Leaves out the rows whose votes were not accepted. A call's rows are sent together, so that no
--- two requests create its test set at the same time.
function steps.test_sets.items(rows)
  local items, by_target = {}, {}
  for _, row in ipairs(rows) do
    local item = by_target[row.target]
    if not row.error and not item then
      item = { rows = {} }
      items[#items + 1], by_target[row.target] = item, item
    end
    if not row.error then table.insert(item.rows, row) end
  end
  return items
end

function steps.test_sets.key(item)
  local keys = {}
  for i, row in ipairs(item.rows) do keys[i] = key_of_row(row) end
  return key_of("lab:" .. item.rows[1].target, keys)
end

function steps.test_sets.send(client, item, options)
  local labels, first = {}, item.rows[1]
  for i, row in ipairs(item.rows) do
    local feedback = row.vote.feedback ~= cekura.null and row.vote.feedback or nil
    labels[i] = { metric = row.vote.metric_id, expected_value = row.vote.expected_value,
      feedback = feedback }
  end
  return first.kind.label(client, first.vote[first.kind.column], labels, options)
end

--- Returns the steps of a command.
---@return cekura.review.VoteStep[]
function steps.of(options) return { steps.votes, options.lab and steps.test_sets or nil } end

return steps
