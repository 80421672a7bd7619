-- Runs busted under the interpreter that runs this file.
-- /usr/bin/busted is a Lua script for Lua 5.1 on Debian, and a shell script under LuaRocks.
require "busted.runner" { standalone = false }
