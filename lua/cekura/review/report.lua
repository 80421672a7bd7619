--- Reports how far reviewers and metrics agree: it counts the reviews in responses of the API, and
--- writes the numbers as a page, as text or as data. It makes no calls.
---
---     local report = require "cekura.review.report"
---     local source = report.new()
---     assert(source:add_result(client.results:get { result_id = 373 }))
---     assert(source:add_metric(client.metrics:get { metric_id = 55 }))
---     local found = assert(source:report(), "nobody has reviewed these runs")
---     print(found.metrics[1].now.share, found.metrics[1].now.low, found.metrics[1].now.high)
---     assert(io.open("agreement.html", "w")):write(report.html(found))
---
--- The reviews are the labels in the Labs of the metrics, the last one of each call. A report
--- compares them with the metric's current value of the call.

local assessments = require "cekura.review.report.assessment"
local data = require "cekura.review.report.data"
local page = require "cekura.review.report.page"
local reading = require "cekura.review.report.reading"
local responses = require "cekura.review.internal.responses"
local selection = require "cekura.review.report.selection"
local text = require "cekura.review.internal.text"
local times = require "cekura.review.internal.times"
local words = require "cekura.review.report.words"

local report = {}

-- ---- what was read ----

--- The responses that a report counts.
---@class cekura.review.Source
---@field runs integer how many runs were added
---@field private calls table<string, table> by key
---@field private metrics table[]
---@field private reviews table<integer, table<string, table>> by metric and key
---@field private samples table of selection.read
local Source = {}
Source.__index = Source

---@class cekura.review.ReportOptions
---@field from integer? seconds since the epoch: only calls from this time on
---@field to integer? only calls before this time
---@field agent integer? only production calls of this agent
---@field project integer? only production calls of this project
---@field confidence number? of the intervals: 0.95

--- Returns a source without responses.
---@param options cekura.review.ReportOptions?
---@return cekura.review.Source
function report.new(options)
  return setmetatable({ options = options or {}, runs = 0, calls = {}, metrics = {}, reviews = {},
    samples = {} }, Source)
end

---@private
function Source:is_in_time(call)
  local from, to = self.options.from or -math.huge, self.options.to or math.huge
  return call.time ~= nil and call.time >= from and call.time < to
end

--- Adds the runs of a result. It takes the results of a call: `add_result(client.results:get …)`.
---@param result table? of results:get
---@param err table? the error of the call
---@return boolean? added true; nil if the call failed, or the response cannot be used
---@return table? err
function Source:add_result(result, err)
  local checked, problem = responses.result(result, err)
  if not checked then return nil, problem end
  for _, response in pairs(checked.runs or {}) do
    local run = reading.run(response, checked)
    if self:is_in_time(run) then
      if not self.calls[run.key] then self.runs = self.runs + 1 end
      self.calls[run.key] = run
    end
  end
  return true
end

--- Adds a production call, if it fits the options. It takes the results of a call.
---@param log table? of calls:get
---@param err table? the error of the call
---@return boolean? added see add_result
---@return table? err
function Source:add_call_log(log, err)
  local checked, problem = responses.call_log(log, err)
  if not checked then return nil, problem end
  local call, options = reading.call_log(checked), self.options
  local fits = (not options.agent or call.agent_id == options.agent)
    and (not options.project or call.project_id == options.project)
  if fits and self:is_in_time(call) then self.calls[call.key] = call end
  return true
end

--- Adds a metric with the reviews in its Lab. It takes the results of a call.
---@param metric table? of metrics:get
---@param err table? the error of the call
---@return boolean? added see add_result
---@return table? err
function Source:add_metric(metric, err)
  local checked, problem = responses.metric(metric, err)
  if not checked then return nil, problem end
  if not self.reviews[checked.id] then
    table.insert(self.metrics, reading.metric(checked))
    self.reviews[checked.id] = reading.last_reviews(checked.reviews)
  end
  return true
end

--- Adds a sheet of `cekura-review sample`: it says which calls were selected at random. A metric
--- with reviews of such calls is then judged by these alone.
---@param opened table of cekura.review.sheet.open
---@return boolean? added true, or nil and a message
---@return string? problem
function Source:add_sample(opened) return selection.read(self.samples, opened) end

--- Returns the ids of all metrics that were evaluated on the calls, in order.
---@return integer[]
function Source:metric_ids()
  local there, list = {}, {}
  for _, call in pairs(self.calls) do
    for id in pairs(call.said) do
      if not there[id] then list[#list + 1] = id end
      there[id] = true
    end
  end
  table.sort(list)
  return list
end

--- Returns the ids of the production calls that were reviewed, in order; those of another agent
--- are left out if the review names it.
---@return integer[]
function Source:reviewed_call_logs()
  local there, list, agent = {}, {}, self.options.agent
  for _, reviews in pairs(self.reviews) do
    for key, review in pairs(reviews) do
      local id = key:find "^call log " and review.test_set.source_id
      local is_other = agent and review.test_set.agent and review.test_set.agent ~= agent
      if id and not is_other and not there[id] then there[id], list[#list + 1] = true, id end
    end
  end
  table.sort(list)
  return list
end

-- ---- the report ----

--- Returns the reviews of a metric on the calls that were added, and the number of those without a
--- usable expected value.
---@private
function Source:reviews_of(metric)
  local list, without_expected = {}, 0
  for key, review in pairs(self.reviews[metric.id]) do
    local call = self.calls[key]
    local found = call and reading.review(metric, review, call)
    list[#list + 1] = found or nil
    if call and not found then without_expected = without_expected + 1 end
  end
  return list, without_expected
end

--- Returns the names of the agents whose calls were reviewed, in order.
local function agents_of(selections, calls)
  local there, list = {}, {}
  for _, chosen in pairs(selections) do
    for _, review in ipairs(chosen.reviews) do
      local agent = calls[review.key].agent
      if agent ~= "" and not there[agent] then list[#list + 1] = agent end
      there[agent] = true
    end
  end
  table.sort(list)
  return list
end

--- Counts. Returns nil if there is no review of the calls that were added.
---
---     confidence                     of all intervals
---     total, agreed, share, low, high   all reviews, see agreement.rate
---     calls                          how many different calls were reviewed
---     first, last                    the times of the first and the last of these calls
---     agents                         names
---     period                         of the trend, see `periods`
---     metrics                        the reviewed metrics, the least reliable first
---     unreviewed                     the other metrics: { id, name, … }
---
--- Each of `metrics` has:
---
---     metric        { id, name, kind, description, values }
---     total, agreed                  its reviews
---     trend, step   "better", "worse", "steady" or "unknown"; the clear step in the first two
---     now           the reviews since the step, or all: { agreed, total, share, low, high }
---     reliability   of the same reviews: { kappa, no_value }, for a binary metric also
---                   { true_positive, true_negative, pass_rate, corrected }; a number that is
---                   undefined is nil
---     selection     on what it rests: { kind, targeted, others, missing, without_expected }
---     periods, confusion, mistakes   see cekura.review.report.assessment
---@return table? found
function Source:report()
  local selections = {}
  for _, metric in ipairs(self.metrics) do
    local reviews, without_expected = self:reviews_of(metric)
    selections[metric.id] = selection.of(reviews, self.samples[metric.id], without_expected)
  end
  local found = assessments.report(self.metrics, selections, self.calls,
    { confidence = self.options.confidence or 0.95, period_of = times.period })
  if found then found.agents = agents_of(selections, self.calls) end
  return found
end

--- Returns the report as an HTML page, which needs no network and no script.
---@param found table of Source:report
---@param options { examples: integer? }? how many calls to show of each kind of mistake: 5
---@return string
function report.html(found, options)
  return page.of(found, { examples = options and options.examples or 5, now = os.time() })
end

--- Returns the report as text for a terminal, one string for each line.
---@param found table of Source:report
---@return string[]
function report.lines(found)
  local lines = words.lines(found)
  for i, line in ipairs(lines) do lines[i] = text.line(line) end
  return lines
end

--- Returns the report as a table for JSON. A number that is undefined is cekura.null. Every rate
--- has the `total` on which it rests, and `few` is true if that is less than ten.
---@param found table of Source:report
---@return table
function report.data(found) return data.of(found) end

return report
