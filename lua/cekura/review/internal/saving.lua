--- Saves proposals to metrics, and undoes that. The state has the changed fields of each save, as
--- they were before and after it.

local command = require "cekura.review.internal.command"
local jobs = require "cekura.review.internal.jobs"
local metrics = require "cekura.review.internal.metrics"
local proposal = require "cekura.review.internal.proposal"
local responses = require "cekura.review.internal.responses"
local text = require "cekura.review.internal.text"

local saving = {}

-- ---- the record ----

local function saves_of(saved, id)
  saved.data.saves = saved.data.saves or {}
  saved.data.saves[tostring(id)] = saved.data.saves[tostring(id)] or {}
  return saved.data.saves[tostring(id)]
end

--- Records that the changes of a save are in the metric.
local function note_saved(saved, id, job)
  table.insert(saves_of(saved, id), job.saving)
  job.saving, job.saved = nil, true
  saved:keep()
end

--- Returns whether the job's proposal is saved. A save whose end was not recorded counts if the
--- metric has its changes.
function saving.is_saved(saved, job, metric, may_write)
  if job.saving and #proposal.differences(job.saving.after, metric, job.saving.after) == 0 then
    if not may_write then return true end
    note_saved(saved, metric.id, job)
  end
  return job.saved
end

--- Returns the last save, also if its end was not recorded: { before, after, score, version }.
function saving.last(saved, job, id)
  local saves = saves_of(saved, id)
  return job.saving or saves[#saves]
end

-- ---- saving ----

local EDITED = "metric %d: not saved: somebody has changed its %s since the optimiser was started. "
  .. "--restart starts it from there, and pays again"
local WORSE = "metric %d: not saved: the proposal is worse on the held-out labels (%d of %d right, "
  .. "the metric %d). --save-anyway saves it"
local WORSE_LEARNED = "metric %d: not saved: the proposal scores worse than the metric on the "
  .. "labels that the optimiser learned from. --save-anyway saves it"
local UNSCORED = "metric %d: not saved: there is no score on held-out labels: %s. --save-anyway "
  .. "saves it"

--- Returns the name of an exit code and a message if the proposal must not be saved.
local function refusal(job, found, options)
  local id, score = found.metric.id, found.score
  local edited = job.fields and proposal.differences(job.fields, found.metric) or {}
  if #edited > 0 then return "person", EDITED:format(id, table.concat(edited, ", ")) end
  if options.save_anyway then return nil end
  if score and score.proposed < score.current then
    return "failed", WORSE:format(id, score.proposed, score.labels, score.current)
  end
  if proposal.is_worse(found.result) then return "failed", WORSE_LEARNED:format(id) end
  if found.problem then return "failed", UNSCORED:format(id, found.problem) end
end

--- Returns the id of the metric's newest version, for restoring fields that responses do not have;
--- nil if all changed fields are there, or the version is not the metric as it is.
local function version_of(client, metric, changes)
  local is_complete, newest = true, nil
  for name in pairs(changes) do is_complete = is_complete and metric[name] ~= nil end
  if is_complete then return nil end
  local page = assert(responses.versions(client.metrics:history { metric_id = metric.id }))
  for _, version in ipairs(page.results) do
    local date = version.history_date or ""
    if not newest or date > (newest.history_date or "") then newest = version end
  end
  return newest and newest.description == metric.description and newest.history_id or nil
end

--- Saves the changes. The state has the metric's fields before the call, so that --undo works even
--- if the process ends meanwhile.
local function send(client, saved, found)
  local metric, changes = found.metric, found.changes
  local job, before, arguments = jobs.find(saved, metric.id), {}, { metric_id = metric.id }
  for name, value in pairs(changes) do before[name], arguments[name] = metric[name], value end
  job.saving = { before = before, after = changes, score = found.score,
    version = version_of(client, metric, changes) }
  saved:keep()
  local done, err = client.metrics:update(arguments)
  if done == nil then
    if err.applied == "no" then
      job.saving = nil
      saved:keep()
    end
    error(err, 0)
  end
  note_saved(saved, metric.id, job)
  text.print("  saved to metric %d", metric.id)
end

--- Saves a proposal unless it is worse, has no score, or somebody has edited the metric. Returns
--- the name of an exit code.
---@param found cekura.review.Found with changes
function saving.save(client, saved, found, options)
  local code, message = refusal(jobs.find(saved, found.metric.id), found, options)
  if code then
    command.say("%s", message)
    return code
  end
  send(client, saved, found)
  found.data.saved = true
  return "ok"
end

-- ---- undoing ----

local NOTHING_SAVED = "metric %d: nothing that this state file has saved is left to undo"
local CHANGED = "metric %d: not restored: somebody has changed its %s since the proposal was saved"
local NO_VERSION = "metric %d: not restored: its %s cannot be read, and its history has no version "
  .. "from before: restore it in the dashboard"
local NOT_RESTORED = "metric %d: the server has not restored its %s: look at the dashboard"

--- Restores the fields of a save.
local function restore(client, id, save_record)
  if save_record.version then
    return assert(client.metrics:restore { metric_id = id, history_id = save_record.version })
  end
  local arguments = { metric_id = id }
  for name in pairs(save_record.after) do
    if save_record.before[name] == nil then command.fail("failed", NO_VERSION, id, name) end
    arguments[name] = save_record.before[name]
  end
  return assert(client.metrics:update(arguments))
end

--- Restores a metric as it was before the last save of this state. Refuses if somebody has changed
--- one of the saved fields since. Returns the name of an exit code, and data for --json.
function saving.undo(client, saved, id)
  local job, metric = jobs.peek(saved, id), metrics.get(client, id)
  if job then saving.is_saved(saved, job, metric, true) end
  local last = saving.last(saved, job or {}, id)
  if not last then command.fail("failed", NOTHING_SAVED, id) end
  local before, after = last.before, last.after
  local names = table.concat(proposal.differences(metric, after, after), ", ")
  if #proposal.differences(metric, before, after) > 0 then
    if names ~= "" then command.fail("person", CHANGED, id, names) end
    restore(client, id, last)
    local wrong = proposal.differences(metrics.get(client, id), before, after)
    if #wrong > 0 then command.fail("failed", NOT_RESTORED, id, table.concat(wrong, ", ")) end
  end
  if not (job and job.saving) then table.remove(saves_of(saved, id)) end
  if job then job.saved, job.saving = nil, nil end
  saved:keep()
  text.print("metric %d, %s: is as it was before the proposal was saved", id, metric.name)
  return "ok", { id = id, name = metric.name, undone = true }
end

return saving
