-- Runs busted under the interpreter that runs this file. Debian's /usr/bin/busted would do, with
-- Lua 5.4 named before it; one that LuaRocks installs is a shell script.
require "busted.runner" { standalone = false }
