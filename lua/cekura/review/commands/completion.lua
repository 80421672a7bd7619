--- Prints a script with which a shell completes the words of the command.

local output = require "cekura.review.internal.output"

local completion = {
  name = "completion",
  summary = "print a script that completes words in bash, zsh or fish",
  description = "Prints a script with which a shell completes the words of cekura-review.",
  example = "completion bash",
  advice = "nothing was changed",
  notes = [[
In bash, this line of ~/.bashrc loads it:  eval "$(cekura-review completion bash)"
In fish, this line of config.fish:  cekura-review completion fish | source
In zsh, a file in a folder of $fpath:  cekura-review completion zsh > ~/.zfunc/_cekura-review

Exit codes: 0 done; 1 the output is not complete; 2 wrong usage.]],
}

function completion.add_options(parser)
  parser:argument("shell", "bash, zsh or fish."):choices { "bash", "zsh", "fish" }
end

function completion.run(options, root)
  local script = root[("get_%s_complete"):format(options.shell)](root)
  output.write(script)
  return "ok", { shell = options.shell, script = script }
end

return completion
