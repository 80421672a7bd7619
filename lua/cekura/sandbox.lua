--- Loads the sandbox, which has a rock of its own: cekura-sandbox. This file is in the rock cekura,
--- so that the error for a missing sandbox says what to install.

local loaded, problem = pcall(require, "cekura.sandbox.main")
if not loaded then
  if not tostring(problem):find "module 'cekura%.sandbox%.%w+' not found" then error(problem, 0) end
  error("cekura.sandbox is not installed: install the rock cekura-sandbox, or run `make` before "
    .. "`make install`", 3)
end
return require "cekura.sandbox.main"
