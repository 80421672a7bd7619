--- Charts (SVG) of the share of agreement over time. Each period is a dot, whose size shows the
--- number of reviews; a heavy line is the level, before and after a clear step. All charts have the
--- same axes.

local assessments = require "cekura.review.report.assessment"
local html = require "cekura.review.report.html"
local words = require "cekura.review.report.words"

local chart = {}

local WIDTH, HEIGHT = 320, 156
local LEFT, RIGHT, TOP, BOTTOM = 38, 312, 14, 128  -- of the plot
local SMALLEST, LARGEST = 2, 4.5                   -- radius of a dot

-- ---- templates ----

local frame = html.template [[
<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-t {id}-d">
<title id="{id}-t">{title}</title>
<desc id="{id}-d">{description}</desc>
{grid}{parts}{dates}
</svg>]]

local grid_line = html.template [[
<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>
<text class="tick" x="{label_x}" y="{label_y}" text-anchor="end">{label}</text>
]]

local date = html.template
  '<text class="tick" x="{x}" y="{y}" text-anchor="{anchor}">{label}</text>\n'

local path = html.template '<path class="{class}" d="{d}"/>\n'
local dot = html.template '<circle class="dot" cx="{x}" cy="{y}" r="{r}"/>\n'
local level = html.template [[
<line class="level" x1="{from}" x2="{to}" y1="{y}" y2="{y}"/>
<text class="level-label" x="{x}" y="{label_y}" text-anchor="{anchor}">{label}</text>
]]

-- ---- coordinates ----

local function rounded(number) return ("%.1f"):format(number) end

local function y_of(share) return BOTTOM - share * (BOTTOM - TOP) end

--- Returns the centre of a period.
local function x_of(index, count) return LEFT + (index - 0.5) / count * (RIGHT - LEFT) end

-- ---- parts ----

local function grid()
  local lines = {}
  for i, percent in ipairs { 0, 50, 100 } do
    local y = y_of(percent / 100)
    lines[i] = grid_line { left = LEFT, right = RIGHT, y = rounded(y), label_x = LEFT - 6,
      label_y = rounded(y + 4), label = percent .. "%" }
  end
  return lines
end

--- Labels the first and the last period; a single one is labelled in the middle.
local function dates(periods, period)
  local function label(index, x, anchor)
    return date { x = x, y = HEIGHT - 6, anchor = anchor,
      label = period.label(periods[index].from) }
  end
  if #periods == 1 then return label(1, (LEFT + RIGHT) / 2, "middle") end
  return { label(1, LEFT, "start"), label(#periods, RIGHT, "end") }
end

--- Connects the dots, with a gap for a period without a review.
local function thread(periods)
  local d, pen = {}, "M"
  for i, period in ipairs(periods) do
    local share = assessments.share(period)
    if share then d[#d + 1] = pen .. rounded(x_of(i, #periods)) .. " " .. rounded(y_of(share)) end
    pen = share and "L" or "M"
  end
  return path { class = "thread", d = table.concat(d, " ") }
end

local function dots(periods)
  local parts, most = {}, 1
  for _, period in ipairs(periods) do most = math.max(most, period.total) end
  for i, period in ipairs(periods) do
    local share = assessments.share(period)
    parts[i] = share and dot {
      x = rounded(x_of(i, #periods)), y = rounded(y_of(share)),
      r = rounded(SMALLEST + (LARGEST - SMALLEST) * math.sqrt(period.total / most)),
    } or false
  end
  return parts
end

--- Draws a level. Its label is above the line if there is room, else below.
local function level_of(count, from, to, x, anchor)
  local y = y_of(assessments.share(count))
  return level { from = rounded(from), to = rounded(to), y = rounded(y), x = rounded(x),
    label_y = rounded(y < TOP + 16 and y + 17 or y - 8), anchor = anchor,
    label = words.percent(count) }
end

--- Draws one level, or the levels before and after a step and a line at the step.
local function levels(assessment)
  local periods, step = assessment.periods, assessment.step
  if not step then return level_of(assessment, LEFT, RIGHT, RIGHT, "end") end
  local x
  for i, period in ipairs(periods) do
    if period.from == step.from then x = x_of(i - 0.5, #periods) end
  end
  return {
    path { class = "step", d = ("M%s %s V%s"):format(rounded(x), TOP, BOTTOM) },
    level_of(step.before, LEFT, x, LEFT + 2, "start"),
    level_of(step.after, x, RIGHT, RIGHT, "end"),
  }
end

-- ---- the chart ----

--- Returns the text for screen readers.
local function description(assessment, period)
  local parts = { words.agreement(assessment), words.trend(assessment, period),
    ("By %s: "):format(period.name) }
  local list = {}
  for i, each in ipairs(assessment.periods) do
    list[i] = ("%s %s"):format(period.label(each.from),
      each.total > 0 and words.percent(each) or "no review")
  end
  return table.concat(parts, " ") .. table.concat(list, ", ") .. "."
end

--- Returns the chart of one metric.
---@param assessment table of assessments.report
---@param period table of times.period
---@param id string unique in the page
function chart.of(assessment, period, id)
  local periods = assessment.periods
  return frame {
    width = WIDTH, height = HEIGHT, id = id, grid = grid(), dates = dates(periods, period),
    title = ("Agreement with %s by %s"):format(assessment.metric.name, period.name),
    description = description(assessment, period),
    parts = { thread(periods), levels(assessment), dots(periods) },
  }
end

return chart
