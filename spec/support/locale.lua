-- A Turkish locale in ISO-8859-9, in which "I" and "i" are different letters, and the decimal point
-- is a comma. It is compiled here, because few machines have it.
--
--   local turkish <close> = locale.turkish()
--   if not turkish then return end     -- no glibc, or the sources of locales are missing
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
