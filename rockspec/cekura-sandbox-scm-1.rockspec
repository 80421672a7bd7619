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
  "lua-cjson >= 2.1.0",
}
external_dependencies = {
  MICROHTTPD = { library = "microhttpd" },
}
build = {  -- as in the rockspec of cekura
  type = "make",
  build_target = "rock-sandbox",
  install_target = "install-sandbox",
  variables = {
    BUILD = "build/luarocks",
    CFLAGS = "$(CFLAGS)",
    shared = "$(LIBFLAG)",
    warnings = "",
    needed = "",
    lua_cflags = "-I'$(LUA_INCDIR)'",
    mhd_cflags = "-I'$(MICROHTTPD_INCDIR)'",
    mhd_libs = "-L'$(MICROHTTPD_LIBDIR)' -Wl,-rpath,'$(MICROHTTPD_LIBDIR)' -lmicrohttpd",
    lib = "$(LIBDIR)",
    share = "$(LUADIR)",
  },
}
