-- lua-cjson alone: after each failed allocation of Lua, some memory of libc is lost.
local failing = ...
local decode = require "cjson".decode
local text = '["' .. ("x"):rep(1 << 20) .. '"]'
failing(decode, text)
