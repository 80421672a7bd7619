--- The comparison of two results as a page, in the style of the report. It needs no network and
--- runs no scripts.

local html = require "cekura.review.report.html"
local style = require "cekura.review.report.style"
local times = require "cekura.review.internal.times"
local values = require "cekura.review.internal.values"
local words = require "cekura.review.compare.words"

local each = html.each

local page = {}

-- ---- templates -------------------------------------------------------------------------------

local STYLE = [[
.sign { font-weight: 650; }
.sign.worse { color: var(--bad); }
.sign.better { color: var(--good); }
.sign.none { color: var(--muted); font-weight: 400; }
.flips { width: 100%; max-width: 52rem; }
.flips tbody tr { border-bottom: 1px solid var(--line); }
.flips th:first-child { padding-left: 0; }
.flips tbody th { font-weight: 500; }
.flips .subject { font-weight: 650; padding-top: 1.5rem; }
.compared th, .compared td, .flips th, .flips td { overflow-wrap: break-word; }
.range { display: block; position: relative; width: 11rem; height: 1.5rem; }
.range span { position: absolute; display: block; }
.range .axis { left: 50%; top: 0; bottom: 0; border-left: 1px dashed var(--muted); }
.range .low-high { top: 0.65rem; height: 0.2rem; background: var(--muted); }
.range .point {
  top: 0.4rem; width: 0.7rem; height: 0.7rem; margin-left: -0.35rem; border-radius: 50%;
  background: var(--text); border: 2px solid var(--page);
}
.range .worse { background: var(--bad); }
.range .better { background: var(--good); }
.warnings { padding-left: 1.25rem; max-width: 44rem; }
@media (max-width: 40rem) {
  .flips th, .flips td { padding: 0.6rem 0.3rem; font-size: 0.9375rem; }
  .compared { table-layout: auto; }
  .compared th, .compared td, .compared th:first-child, .compared th:nth-child(2) {
    width: auto; padding: 0.6rem 0.2rem; font-size: 0.8125rem;
  }
  .compared th:first-child { padding-left: 0; }
  .compared .type { font-size: 0.75rem; white-space: normal; }
}
@media print {
  .range .low-high, .range .point { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
]]

local body = html.template [[
<a class="skip" href="#flips">Skip to the runs that changed</a>
<header>
<p class="kicker">Comparison of two results</p>
<h1>{title}</h1>
<p class="scope">{scope}</p>
<p class="lede">{summary}</p>
{warnings}</header>
<main>
{sections}</main>
<footer>
<h2>How to read this</h2>
{notes}</footer>
]]

local warnings = html.template '<ul class="warnings">\n{items}</ul>\n'
local warning = html.template "<li>{text}</li>\n"
local paragraph = html.template "<p>{text}</p>\n"

local flips = html.template [[
<section id="flips" aria-labelledby="flips-h">
<h2 id="flips-h">Which runs changed?</h2>
{content}</section>
]]

local flips_table = html.template [[
<div class="scroll" role="region" aria-labelledby="flips-c" tabindex="0">
<table class="flips">
<caption id="flips-c">{count}: from pass to fail and back, or from one word to another</caption>
<thead><tr><th scope="col">Run</th><th scope="col">Before and after</th></tr></thead>
{groups}</table>
</div>
]]

local flip_group = html.template [[
<tbody>
<tr><th scope="rowgroup" colspan="2" class="subject">{name}</th></tr>
{rows}</tbody>
]]

local flip_row = html.template [[
<tr><th scope="row"><bdi>{scenario}</bdi><span class="type"><bdi>{place}</bdi>, repetition
{repetition}: runs {before_run_id} and {after_run_id}</span></th>
<td><bdi>{before}</bdi> → <span class="sign {class}"><bdi>{after}</bdi></span></td></tr>
]]

local changes = html.template [[
<section id="changes" aria-labelledby="changes-h">
<h2 id="changes-h">What changed over all runs?</h2>
<div class="scroll" role="region" aria-labelledby="changes-c" tabindex="0">
<table class="overview compared">
<caption id="changes-c">Shares of passes and mean values of the matched runs. Points are of a
hundred; below a change is its {confidence} interval.</caption>
<thead><tr><th scope="col">What</th><th scope="col" class="number wide">Pairs</th>
<th scope="col" class="number">Before</th><th scope="col" class="number">After</th>
<th scope="col" class="number">Change</th>
<th scope="col" class="wide"><span class="type">Interval around no change</span></th>
<th scope="col" class="number wide">p</th><th scope="col">Verdict</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
{power}</section>
]]

local change_row = html.template [[
<tr><th scope="row">{name}<span class="type">{type}</span></th>
<td class="number wide">{n}</td><td class="number">{before}</td><td class="number">{after}</td>
<td class="number">{change}<span class="type">{interval}</span></td><td class="wide">{range}</td>
<td class="number wide">{p}</td>
<td><span class="sign {class}"><span aria-hidden="true">{sign}</span> {verdict}</span></td></tr>
]]

local range = html.template [[
<span class="range" aria-hidden="true"><span class="axis"></span>
<span class="low-high {class}" style="left:{left}%;width:{width}%"></span>
<span class="point {class}" style="left:{point}%"></span></span>]]

local left_out = html.template [[
<section id="left-out" aria-labelledby="left-out-h">
<h2 id="left-out-h">Which runs are left out?</h2>
<div class="scroll" role="region" aria-labelledby="left-out-c" tabindex="0">
<table class="flips">
<caption id="left-out-c">Runs that are not compared</caption>
<thead><tr><th scope="col">Run</th><th scope="col">Result</th><th scope="col">Reason</th></tr>
</thead>
<tbody>
{rows}</tbody>
</table>
</div>
</section>
]]

local left_out_row = html.template [[
<tr><th scope="row"><bdi>{scenario}</bdi><span class="type">run {run_id}</span></th>
<td>{side}</td><td>{reason}</td></tr>
]]

-- ---- parts -----------------------------------------------------------------------------------

local CLASSES = { [true] = "better", [false] = "worse" }

local function flip_row_of(flip)
  return flip_row { scenario = flip.scenario, place = words.place(flip),
    repetition = flip.repetition, before_run_id = flip.before_run_id,
    after_run_id = flip.after_run_id, before = words.value(flip.before),
    after = words.value(flip.after), class = CLASSES[flip.after] or "none" }
end

local function flips_of(found)
  local groups, count = {}, 0
  for _, change in ipairs { found.success, table.unpack(found.metrics) } do
    count = count + #change.flips
    if #change.flips > 0 then
      groups[#groups + 1] =
        flip_group { name = words.name(change), rows = each(change.flips, flip_row_of) }
    end
  end
  if count == 0 then return flips { content = paragraph { text = "None." } } end
  return flips { content = flips_table { groups = groups,
    count = ("%d %s"):format(count, count == 1 and "change" or "changes") } }
end

local SIGNS = { better = "▲", worse = "▼", changed = "◆" }
local COLOURS = { better = "better", worse = "worse" }

--- Returns a picture of an interval: no change is in the middle, and the interval reaches one edge.
local function range_of(change)
  if not change.low then return "" end
  local scale = math.max(math.abs(change.low), math.abs(change.high))
  if change.kind == "binary" then scale = 1 end
  local function percent(number) return ("%.1f"):format(50 + number / scale * 48) end
  return range { class = COLOURS[change.verdict] or "", left = percent(change.low),
    width = ("%.1f"):format((change.high - change.low) / scale * 48),
    point = percent(change.change) }
end

local function change_row_of(row)
  local change = row.change
  return change_row {
    name = row.name, type = row.is_word and "Share" or values.label(change.kind), n = change.n,
    before = words.level(change, change.before), after = words.level(change, change.after),
    change = words.difference(change, change.change), interval = words.interval(change),
    range = range_of(change), p = words.p(change), verdict = change.verdict,
    sign = SIGNS[change.verdict] or "", class = COLOURS[change.verdict] or "none",
  }
end

local function changes_of(found)
  local power = found.verdict == "unclear" and words.power(found) or ""
  return changes { rows = each(words.rows(found), change_row_of),
    confidence = ("%.4g%%"):format(found.confidence * 100),
    power = power ~= "" and paragraph { text = power } }
end

local function left_out_of(found)
  local rows = {}
  for _, side in ipairs { "before", "after" } do
    for _, run in ipairs(found.unmatched[side]) do
      rows[#rows + 1] = left_out_row { scenario = run.scenario, run_id = run.run_id or "–",
        side = side, reason = run.reason }
    end
  end
  return #rows > 0 and left_out { rows = rows }
end

-- ---- the page --------------------------------------------------------------------------------

local NOTES = {
  [[A run of one result is matched with a run of the other that has the same scenario, personality
  and test profile; repetitions are matched in the order of their ids. A pair to one of which a
  metric does not apply is left out.]],
  [[“Better” and “worse” mean that chance is an unlikely cause: p, the chance of so large a
  difference between two results of the same agent, is at most %s. Where several tests count, p is
  adjusted for their number by Holm’s method, so that more metrics do not mean more false alarms.
  The result is worse if anything is worse, or else better if anything is better.]],
  [[Passes are compared by McNemar’s exact test with Newcombe’s interval, numbers by the exact test
  of paired differences with Student’s interval. “Changed” is a number of which it is not known
  whether more is better. “Unclear” does not mean equal: with few runs, even a large difference may
  be chance.]],
}

local TITLES = { better = "The later result is better", worse = "The later result is worse",
  unclear = "It is unclear which result is better" }

local function described(result)
  local created = times.parse(result.created_at)
  return ("result %d%s%s"):format(result.id, result.name and (" (%s)"):format(result.name) or "",
    created and ", " .. times.date(created) or "")
end

local function capitalised(text) return (text:gsub("^%l", string.upper)) end

--- Returns the page as HTML.
---@param found cekura.review.Comparison
---@param before table the two results, as the responses module copies them
---@param after table
---@return string
function page.of(found, before, after)
  local summary = words.verdict(found, before.id, after.id)
  local level = ("%.4g"):format(1 - found.confidence)
  local title = TITLES[found.verdict]
  return html.document(title, style .. STYLE, body {
    title = title,
    scope = ("%s, and %s; %s"):format(capitalised(described(before)), described(after),
      words.basis(found)),
    summary = capitalised(summary) .. ".",
    warnings = #found.warnings > 0 and warnings {
      items = each(found.warnings, function(text) return warning { text = capitalised(text) } end),
    },
    sections = { flips_of(found), changes_of(found), left_out_of(found) or "" },
    notes = each(NOTES, function(text)
      return paragraph { text = text:gsub("%%s", level) }
    end),
  })
end

return page
