rockspec_format = "3.0"
package = "cekura-review"
version = "scm-1"
source = {
  url = "git+https://github.com/cekura-ai/cekura-lua.git",
}
description = {
  summary = "The program cekura-review: review and evaluation workflows on Cekura",
  homepage = "https://github.com/cekura-ai/cekura-lua",
  license = "MIT",
}
supported_platforms = { "unix" }
-- Only `cekura-review sandbox` and `cekura-review demo` need the rock cekura-sandbox. They name it
-- if it is missing.
dependencies = {
  "lua >= 5.4, < 5.6",
  "cekura",
  "argparse >= 0.7.1",
}
build = {  -- as in the rockspec of cekura; there is nothing to compile
  type = "make",
  build_pass = false,
  install_target = "install-review",
  variables = {
    share = "$(LUADIR)",
  },
  install = {  -- LuaRocks adds a wrapper, which sets the paths of the modules
    bin = { "bin/cekura-review" },
  },
}
