--- Samples of calls for review: a random part, from which agreement can be estimated, and a
--- targeted part of doubtful values, from which a metric learns most. It depends on no server.
---
---     local sample = require "cekura.review.sample"
---     local options = { n = 40, seed = "2026-w48", by = "value" }
---     for _, item in ipairs(sample.select(sample.mark(items), options)) do
---       print(item.key, item.selection)
---     end
---
--- The order of a sample is that of a hash of the seed and the item's key. The first items in that
--- order are a simple random sample, and the same seed selects the same items in every process. An
--- item that is added later takes a place or takes none, and does not change the order of the
--- others. Source: Ohlsson 1995, "Coordination of samples using permanent random numbers", in Cox
--- et al., Business Survey Methods, chapter 9.

local hash = require "cekura.review.internal.hash"

local sample = {}

local TARGETED = 0.25  -- the share of the targeted part
local FEW_VALUES = 6   -- different numbers that are a scale; others are measurements

--- What a metric said of a call. Further fields may be strata, and are kept.
---@class cekura.review.SampleItem
---@field key string|integer names the call; no other item has the same
---@field value any what the metric said: a boolean, a number or a word; nil for none
---@field group string? the same for calls that should have the same value: a scenario's repetitions
---@field outcome boolean? whether the call reached its expected outcome, whatever the metric says
---@field doubt number? how doubtful the value is: 0 or nil if it is not; see `sample.mark`
---@field selection "random"|"targeted"|nil the part of the sample

-- ---- doubtful values -------------------------------------------------------------------------

local function groups_of(items)
  local groups = {}
  for _, item in ipairs(items) do
    if item.group ~= nil and item.value ~= nil then
      local group = groups[item.group] or { size = 0, counts = {} }
      groups[item.group] = group
      group.size = group.size + 1
      group.counts[item.value] = (group.counts[item.value] or 0) + 1
    end
  end
  return groups
end

--- Returns whether the values are numbers of which almost every call has another.
local function are_measurements(items)
  local seen, count = {}, 0
  for _, item in ipairs(items) do
    if type(item.value) == "number" and not seen[item.value] then
      seen[item.value], count = true, count + 1
    end
  end
  return count > FEW_VALUES
end

--- Returns the share of the other calls of its group with another value.
local function flips(item, groups)
  local group = item.group ~= nil and item.value ~= nil and groups[item.group]
  if not group or group.size < 2 then return 0 end
  return (group.size - group.counts[item.value]) / (group.size - 1)
end

local function contradicts_outcome(item)
  return type(item.value) == "boolean" and item.outcome ~= nil and item.value ~= item.outcome
end

--- Sets `doubt` of each item to the sum of
---
--- - the share of the other calls of its `group` with another value, unless the values are numbers
---   of which there are more than six different ones;
--- - 1 if a value that is true or false is not that of `outcome`;
--- - with a threshold, 1 / (1 + distance) of a number: 1 at the threshold, 1/2 one unit away.
---
--- These are rules of thumb, without a source: the doubt decides only the order of the targeted
--- part.
---@param items cekura.review.SampleItem[]
---@param threshold number? above which a number counts as good
---@return cekura.review.SampleItem[] items the same list
function sample.mark(items, threshold)
  local groups = are_measurements(items) and {} or groups_of(items)
  for _, item in ipairs(items) do
    item.doubt = flips(item, groups) + (contradicts_outcome(item) and 1 or 0)
    if threshold and type(item.value) == "number" then
      item.doubt = item.doubt + 1 / (1 + math.abs(item.value - threshold))
    end
  end
  return items
end

-- ---- allocation ------------------------------------------------------------------------------

--- Divides `n` places among strata in proportion to their sizes: each gets the whole part of its
--- quota, and those with the largest remainders get one more. Equal remainders go to the first.
--- Source: the method of largest remainders with Hare's quota (Balinski and Young 1982, "Fair
--- Representation", Hamilton's method). A sample with proportional allocation weighs each call
--- alike (Cochran 1977, "Sampling Techniques", section 5.3).
---@param sizes integer[] of the strata
---@param n integer at most the sum of the sizes counts
---@return integer[] places
function sample.allocate(sizes, n)
  local total, places, order = 0, {}, {}
  for _, size in ipairs(sizes) do total = total + size end
  n = math.min(n, total)
  local left = n
  for i, size in ipairs(sizes) do
    places[i] = total > 0 and n * size // total or 0
    left = left - places[i]
    order[i] = { index = i, remainder = total > 0 and n * size % total or 0 }
  end
  table.sort(order, function(a, b)
    if a.remainder ~= b.remainder then return a.remainder > b.remainder end
    return a.index < b.index
  end)
  for i = 1, left do places[order[i].index] = places[order[i].index] + 1 end
  return places
end

-- ---- selection -------------------------------------------------------------------------------

--- Returns a list of { item, hash } in the order of the hash.
local function in_hash_order(items, seed)
  local list, seen = {}, {}
  for i, item in ipairs(items) do
    local key = tostring(item.key)
    if item.key == nil or seen[key] then
      error(("sample.select: items[%d].key: %s"):format(i, item.key == nil and "is required"
        or "is that of another item"), 3)
    end
    seen[key] = true
    list[i] = { item = item, key = key, hash = hash.of(("%s\0%s"):format(seed, key)) }
  end
  table.sort(list, function(a, b)
    if a.hash ~= b.hash then return a.hash < b.hash end
    return a.key < b.key
  end)
  return list
end

--- Returns the strata, each a list of entries in hash order. The order of the strata, which decides
--- equal remainders, is one of hashes, too.
local function strata_of(entries, by, seed)
  local strata, index = {}, {}
  for _, entry in ipairs(entries) do
    local name = by and tostring(entry.item[by]) or ""
    if not index[name] then
      index[name] = { name = name, hash = hash.of(("%s\0stratum\0%s"):format(seed, name)) }
      strata[#strata + 1] = index[name]
    end
    table.insert(index[name], entry)
  end
  table.sort(strata, function(a, b)
    if a.hash ~= b.hash then return a.hash < b.hash end
    return a.name < b.name
  end)
  return strata
end

--- Returns the entries of the random part, as a set.
local function draw(strata, n)
  local sizes, drawn = {}, {}
  for i, stratum in ipairs(strata) do sizes[i] = #stratum end
  for i, places in ipairs(sample.allocate(sizes, n)) do
    for j = 1, places do drawn[strata[i][j]] = true end
  end
  return drawn
end

--- Returns the most doubtful entries that are not drawn, at most `n`.
local function most_doubtful(entries, drawn, n)
  local rest = {}
  for position, entry in ipairs(entries) do
    entry.position = position
    if not drawn[entry] and (entry.item.doubt or 0) > 0 then rest[#rest + 1] = entry end
  end
  table.sort(rest, function(a, b)
    if a.item.doubt ~= b.item.doubt then return a.item.doubt > b.item.doubt end
    return a.position < b.position
  end)
  return table.move(rest, 1, math.min(n, #rest), 1, {})
end

--- Draws both parts. Places that the targeted part cannot fill go to the random part.
local function draw_both(entries, strata, n, targeted)
  while true do
    local drawn = draw(strata, n - targeted)
    local doubtful = most_doubtful(entries, drawn, targeted)
    if #doubtful == targeted then return drawn, doubtful end
    targeted = #doubtful
  end
end

--- Selects calls for review. The random part comes first, in hash order; then the targeted part,
--- the most doubtful call first. The random part is drawn first and from all items, so that it
--- stays a random sample. Only the random part says how often a metric is right.
---
--- Raises if two items have the same key, or one has none.
---@param items cekura.review.SampleItem[] calls that have no review yet
---@param options { n: integer, seed: string|integer, by: string?, targeted_share: number? }
---`n` calls are selected, or all if there are fewer; `by` is the field that divides the items into
---strata; `targeted_share`, from 0 to 1, is the share of the targeted part, by default 0.25: the
---random part gets what the targeted part cannot fill
---@return cekura.review.SampleItem[] # copies, each with `selection`
function sample.select(items, options)
  local entries = in_hash_order(items, options.seed)
  local n = math.min(options.n, #entries)
  local targeted = n * (options.targeted_share or TARGETED) // 1 | 0
  local drawn, doubtful =
    draw_both(entries, strata_of(entries, options.by, options.seed), n, targeted)
  local selected = {}
  local function add(entry, selection)
    local copy = { selection = selection }
    for name, value in pairs(entry.item) do copy[name] = copy[name] or value end
    selected[#selected + 1] = copy
  end
  for _, entry in ipairs(entries) do
    if drawn[entry] then add(entry, "random") end
  end
  for _, entry in ipairs(doubtful) do add(entry, "targeted") end
  return selected
end

return sample
