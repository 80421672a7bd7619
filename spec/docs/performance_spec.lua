-- docs/performance.md and the rows of `make bench`.
local rows_of = require "bench.rows"

local function page()
  local file <close> = assert(io.open "docs/performance.md")
  return file:read "a"
end

-- Servers that do not exist: the rows are not measured.
local nowhere = setmetatable({}, { __index = function() return "" end })

describe("docs/performance.md", function()
  it("has every figure of make bench", function()
    local text = page()
    for _, row in ipairs(rows_of(nowhere)) do
      for _, figure in ipairs(row.figures) do
        local line = row.rival and ("| %s | %d |"):format(row.rival, row.concurrency)
          or ("| %s | %s |"):format(row.name, figure[1])
        assert.truthy(text:find(line, 1, true), line)
      end
    end
  end)
end)
