-- A busted output handler: busted's own, followed by one line, "N passed, N failed".
-- In CI a skipped test counts as failed, because all tools are installed, and so does a run without
-- tests.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.utfTerminal" (options)

  busted.subscribe({ "exit" }, function()
    local passed, skipped = handler.successesCount, handler.pendingsCount
    local failed = handler.failuresCount + handler.errorsCount
    local strict = os.getenv "CI" == "true"
    if strict then failed, skipped = failed + skipped, 0 end
    local line = ("%d passed, %d failed"):format(passed, failed)
    print(skipped > 0 and ("%s, %d skipped"):format(line, skipped) or line)
    if failed > 0 or (strict and passed == 0) then os.exit(1, true) end
    return nil, true
  end)
  return handler
end
