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
  "lua >= 5.4, < 5.6",
  "lua-cjson >= 2.1.0",
}
external_dependencies = {
  CURL = { library = "curl" },  -- no header: LuaRocks does not look in Debian's multiarch folder
}
-- The type "builtin" would install all of lua/, and leave its objects beside the sources.
build = {
  type = "make",
  build_target = "rock-core",
  install_target = "install-core",
  variables = {
    BUILD = "build/luarocks",
    CFLAGS = "$(CFLAGS)",
    shared = "$(LIBFLAG)",
    warnings = "",  -- those of a newer compiler must not end the build
    needed = "",
    lua_cflags = "-I'$(LUA_INCDIR)'",
    curl_cflags = "-I'$(CURL_INCDIR)'",
    curl_libs = "-L'$(CURL_LIBDIR)' -Wl,-rpath,'$(CURL_LIBDIR)' -lcurl",
    lib = "$(LIBDIR)",
    share = "$(LUADIR)",
  },
}
test = {
  type = "command",
  command = "make test",
}
