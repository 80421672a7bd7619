/*
** The shared part of the fuzz targets: input bytes, a Lua state with an oracle, coverage of Lua
** lines.
*/
#include "fuzz.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

int luaopen_cekura_core(lua_State *L);

/* ---- bytes ----------------------------------------------------------------------------------- */

uint8_t fuzz_byte(struct fuzz_input *input) {
  if (input->left == 0) return 0;
  input->left--;
  return *input->at++;
}

unsigned fuzz_pick(struct fuzz_input *input, unsigned below) { return fuzz_byte(input) % below; }

_Noreturn void fuzz_fail(const char *what) {
  (void)fprintf(stderr, "fuzz: %s\n", what);
  abort();
}

/* ---- coverage of Lua lines ------------------------------------------------------------------- */

enum { COUNTERS = 4096 };

/* libFuzzer reads the counters of this section in addition to its own. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static void count_line(lua_State *L, lua_Debug *activation) {
  static unsigned last;
  unsigned line = (unsigned)activation->currentline;
  (void)L;
  counters[(line * 31 + last) % COUNTERS]++;
  last = line;
}

/* ---- the state ------------------------------------------------------------------------------- */

static int show_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static void load_oracle(lua_State *L, const char *name) {
  lua_pushfstring(L, "spec/fuzz/%s.lua", name);
  if (luaL_loadfile(L, lua_tostring(L, -1)) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK)
    fuzz_fail(lua_tostring(L, -1));
  lua_replace(L, 1);
  lua_settop(L, 1);
}

lua_State *fuzz_open(const char *oracle, bool guided) {
  lua_State *L = luaL_newstate();
  if (L == NULL) fuzz_fail("out of memory");
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cekura_core);
  lua_setfield(L, -2, "cekura.core");
  load_oracle(L, oracle);
  if (guided) lua_sethook(L, count_line, LUA_MASKLINE, 0);
  return L;
}

void fuzz_judge(lua_State *L, int arguments) {
  lua_pushcfunction(L, show_traceback);
  lua_insert(L, 2);
  lua_pushvalue(L, 1);
  lua_insert(L, -arguments - 1);
  if (lua_pcall(L, arguments, 0, 2) != LUA_OK) fuzz_fail(lua_tostring(L, -1));
  lua_settop(L, 1);
}
