-- Turkish as glibc has it in ISO-8859-9, where "I" and "i" are not the same letter, and a comma is
-- the decimal point. It is made here, because hardly any machine has it at hand.
--
--   local turkish <close> = locale.turkish()
--   if not turkish then return end     -- not glibc, or its sources are not installed
--   script.run(turkish.SET .. text, { LOCPATH = turkish.folder, LC_ALL = false })
local locale = {}

local Turkish = {}
Turkish.__index = Turkish

Turkish.SET = [[
  assert(os.setlocale "tr")
  assert(("I"):lower() ~= "i" and tostring(0.5) == "0,5")
]]

function Turkish:__close() os.execute("exec env -u LD_PRELOAD rm -rf " .. self.folder) end

function locale.turkish()
  local pipe <close> = assert(io.popen([[exec env -u LD_PRELOAD sh -c '
    folder=$(mktemp -d) && cd $folder || exit
    localedef -c -i tr_TR -f ISO-8859-9 ./tr >log 2>&1
    [ -d tr ] && echo $folder']]))
  local folder = pipe:read "l"
  return folder and setmetatable({ folder = folder }, Turkish)
end

return locale
