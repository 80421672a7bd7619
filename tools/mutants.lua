-- Builds the module with faults in it, one after the other, and shows that a spec detects each.
--
--   lua tools/mutants.lua BUILD        after `make all`; LUA_PATH and LUA_CPATH are those of a spec
--
-- A mutant is a copy of the sources in which texts are replaced. It is an error if a text is not in
-- the file exactly once: the code has changed, and the mutant must follow.

local SPENDING = "spec/stress/spending_spec.lua"

-- { what is wrong, the spec, its words about it, { { file, text, replacement }, … } }
local MUTANTS = {
  { "a reservation after sending", SPENDING, "more than spend_limit", {
    { "src/lua/request/budget.c", "(void)ck_charge_reserve(charge)", "(void)charge" },
    { "src/http/exchange.c", "ck_transfer_start(&exchange->transfer);",
      "ck_transfer_start(&exchange->transfer);\n  (void)ck_charge_reserve(&exchange->charge);" },
  } },
  { "the release of an unknown", SPENDING, "the client counts too little", {
    { "src/policy/spending.c", "if (applied == CK_APPLIED_NO) return;",
      "if (applied != CK_APPLIED_YES) return;" },
  } },
  { "an uncounted retry", SPENDING, "the client counts too little", {
    { "src/http/exchange.c", "exchange->over_limit = !ck_charge_reserve(&exchange->charge);",
      "exchange->over_limit = false;" },
  } },
}

local build = assert(arg[1], "usage: mutants.lua BUILD")

local function run(command, ...)
  local ok, _, code = os.execute(command:format(...))
  return ok == true, code
end

local function content_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, content)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(content))
end

-- Copies what `make core` reads. Objects keep their times: only changed files are compiled.
local function copy(folder)
  assert(run("rm -rf '%s' && mkdir -p '%s/build'", folder, folder))
  assert(run("cp -Rp Makefile tools src include '%s'", folder))
  assert(run("cp -Rp '%s/obj' '%s'/lua-* '%s/build'", build, build, folder))
end

local function replace(folder, file, text, replacement)
  local content = content_of(file)
  local first, last = content:find(text, 1, true)
  if not first or content:find(text, last + 1, true) then
    error(("tools/mutants.lua: %s must contain this exactly once: %s"):format(file, text), 0)
  end
  write(folder .. "/" .. file, content:sub(1, first - 1) .. replacement .. content:sub(last + 1))
end

-- Returns whether the spec passes with the module of the folder, and its output.
local function passes(folder, spec)
  local log = folder .. "/log"
  local ok = run("LUA_CPATH='%s/build/?.so;%s' '%s' tools/busted.lua %s >'%s' 2>&1", folder,
    os.getenv "LUA_CPATH" or ";", arg[-1], spec, log)
  return ok, content_of(log)
end

local function check(number, what, spec, words, changes)
  local folder = ("%s/mutants/%d"):format(build, number)
  copy(folder)
  for _, change in ipairs(changes) do replace(folder, table.unpack(change)) end
  assert(run("make -s -C '%s' core BUILD=build POLLER=", folder), "a mutant could not be built")
  local ok, output = passes(folder, spec)
  local is_detected = not ok and output:find(words, 1, true) ~= nil
  print(("mutant %d, %s: %s"):format(number, what, is_detected and "detected" or "NOT DETECTED"))
  if not is_detected then print(output) end
  return is_detected
end

local all = true
for number, mutant in ipairs(MUTANTS) do all = check(number, table.unpack(mutant)) and all end
os.exit(all)
