-- Runs other programs, under what `make asan` and `make valgrind` put before the interpreter.
local child = {}

local function quoted(text) return "'" .. text:gsub("'", [['\'']]) .. "'" end

-- Runs a list of words. `environment` has variables to set; false takes one away. Returns what it
-- wrote, stdout and stderr in one, and its exit code.
function child.run(words, environment)
  local command = { "exec env -u LD_PRELOAD" }  -- CEKURA_RUN sets it again for what it starts
  for name, value in pairs(environment or {}) do  -- env wants all -u before the first NAME=VALUE
    table.insert(command, value and #command + 1 or 2,
      value and quoted(name .. "=" .. value) or "-u " .. name)
  end
  for _, word in ipairs(words) do table.insert(command, quoted(word)) end
  local pipe = assert(io.popen(table.concat(command, " ") .. " 2>&1"))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  return output, code
end

-- Runs a program as the specs themselves are run.
function child.run_checked(words, environment)
  local all = {}
  for word in (os.getenv "CEKURA_RUN" or ""):gmatch "%S+" do all[#all + 1] = word end
  return child.run(table.move(words, 1, #words, #all + 1, all), environment)
end

-- The interpreter that runs the specs.
child.lua = arg[-1]

return child
