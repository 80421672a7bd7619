-- lua-cjson alone: no allocation of Lua's fails without some memory of libc's that stays behind.
local failing = ...
local decode = require "cjson".decode
local text = '["' .. ("x"):rep(1 << 20) .. '"]'
failing(decode, text)
