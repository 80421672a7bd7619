rockspec_format = "3.0"
package = "cekura"
version = "scm-1"
source = {
  url = "git+https://github.com/cekura-ai/cekura-lua.git",
}
description = {
  summary = "Client for Cekura's API: votes on metrics, evaluations, the optimiser",
  homepage = "https://github.com/cekura-ai/cekura-lua",
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4, < 5.5",
  "lua-cjson >= 2.1.0.14",
}
external_dependencies = {
  CURL = { library = "curl" },  -- no header: LuaRocks does not look in Debian's multiarch folder
}
build = {
  type = "builtin",
  modules = {
    ["cekura.core"] = {
      sources = {
        "src/core/attempt.c",
        "src/core/buffer.c",
        "src/core/clock.c",
        "src/core/contract.c",
        "src/core/exchange.c",
        "src/core/head.c",
        "src/core/headers.c",
        "src/core/limiter.c",
        "src/core/multi.c",
        "src/core/nearest.c",
        "src/core/outcome.c",
        "src/core/percent.c",
        "src/core/poller.c",
        "src/core/proxy.c",
        "src/core/queue.c",
        "src/core/reason.c",
        "src/core/retry.c",
        "src/core/retry_after.c",
        "src/core/retry_quota.c",
        "src/core/timestamp.c",
        "src/core/transfer.c",
        "src/core/transport.c",
        "src/core/url.c",
        "src/core/utf8.c",
        "src/core/wipe.c",
        "src/lua/call.c",
        "src/lua/check.c",
        "src/lua/client.c",
        "src/lua/decode.c",
        "src/lua/endpoints.c",
        "src/lua/error.c",
        "src/lua/event.c",
        "src/lua/file.c",
        "src/lua/internal.c",
        "src/lua/interrupt.c",
        "src/lua/json.c",
        "src/lua/log.c",
        "src/lua/loop.c",
        "src/lua/luaopen.c",
        "src/lua/mend.c",
        "src/lua/new.c",
        "src/lua/options.c",
        "src/lua/pool.c",
        "src/lua/problems.c",
        "src/lua/raw_request.c",
        "src/lua/request_headers.c",
        "src/lua/resource.c",
        "src/lua/response.c",
        "src/lua/secret.c",
        "src/lua/system.c",
        "src/lua/task.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "src", "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
      libraries = { "curl", "pthread" },
    },
    ["cekura.each"] = "lua/cekura/each.lua",
    ["cekura.each.journal"] = "lua/cekura/each/journal.lua",
    ["cekura.each.progress"] = "lua/cekura/each/progress.lua",
    ["cekura.each.worker"] = "lua/cekura/each/worker.lua",
    ["cekura"] = "lua/cekura/init.lua",
    ["cekura.internal.ascii"] = "lua/cekura/internal/ascii.lua",
    ["cekura.internal.check"] = "lua/cekura/internal/check.lua",
    ["cekura.internal.names"] = "lua/cekura/internal/names.lua",
    ["cekura.pages"] = "lua/cekura/pages.lua",
    ["cekura.wait"] = "lua/cekura/wait.lua",
    ["cekura.wait.call_logs"] = "lua/cekura/wait/call_logs.lua",
    ["cekura.wait.freshness"] = "lua/cekura/wait/freshness.lua",
    ["cekura.wait.optimiser"] = "lua/cekura/wait/optimiser.lua",
    ["cekura.wait.result"] = "lua/cekura/wait/result.lua",
    ["cekura.types"] = "lua/cekura/types.lua",  -- for editors
  },
}
