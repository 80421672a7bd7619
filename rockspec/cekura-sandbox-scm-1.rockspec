rockspec_format = "3.0"
package = "cekura-sandbox"
version = "scm-1"
source = {
  url = "git+https://github.com/cekura-ai/cekura-lua.git",
}
description = {
  summary = "A stand-in for Cekura's API, inside the process, for tests and demos",
  homepage = "https://github.com/cekura-ai/cekura-lua",
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4, < 5.6",
  "cekura",
  "lua-cjson >= 2.1.0.14",
}
external_dependencies = {
  MICROHTTPD = { library = "microhttpd" },
}
build = {
  type = "builtin",
  modules = {
    ["cekura.sandbox.server"] = {
      sources = {
        "src/sandbox/app.c",
        "src/sandbox/copy.c",
        "src/sandbox/listener.c",
        "src/sandbox/request.c",
        "src/sandbox/response.c",
        "src/sandbox/server.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "src", "$(MICROHTTPD_INCDIR)" },
      libdirs = { "$(MICROHTTPD_LIBDIR)" },
      libraries = { "microhttpd", "pthread" },
    },
    ["cekura.sandbox.app"] = "lua/cekura/sandbox/app.lua",
    ["cekura.sandbox.check"] = "lua/cekura/sandbox/check.lua",
    ["cekura.sandbox.data.catalogue"] = "lua/cekura/sandbox/data/catalogue.lua",
    ["cekura.sandbox.data.scenarios"] = "lua/cekura/sandbox/data/scenarios.lua",
    ["cekura.sandbox.dialogue"] = "lua/cekura/sandbox/dialogue.lua",
    ["cekura.sandbox.faults"] = "lua/cekura/sandbox/faults.lua",
    ["cekura.sandbox.fields"] = "lua/cekura/sandbox/fields.lua",
    ["cekura.sandbox.filters"] = "lua/cekura/sandbox/filters.lua",
    ["cekura.sandbox.generate"] = "lua/cekura/sandbox/generate.lua",
    ["cekura.sandbox.handlers"] = "lua/cekura/sandbox/handlers.lua",
    ["cekura.sandbox"] = "lua/cekura/sandbox/init.lua",
    ["cekura.sandbox.json"] = "lua/cekura/sandbox/json.lua",
    ["cekura.sandbox.judge"] = "lua/cekura/sandbox/judge.lua",
    ["cekura.sandbox.optimiser"] = "lua/cekura/sandbox/optimiser.lua",
    ["cekura.sandbox.options"] = "lua/cekura/sandbox/options.lua",
    ["cekura.sandbox.random"] = "lua/cekura/sandbox/random.lua",
    ["cekura.sandbox.ring"] = "lua/cekura/sandbox/ring.lua",
    ["cekura.sandbox.routes"] = "lua/cekura/sandbox/routes.lua",
    ["cekura.sandbox.rules"] = "lua/cekura/sandbox/rules.lua",
    ["cekura.sandbox.snapshot"] = "lua/cekura/sandbox/snapshot.lua",
    ["cekura.sandbox.store"] = "lua/cekura/sandbox/store.lua",
    ["cekura.sandbox.views"] = "lua/cekura/sandbox/views.lua",
  },
}
