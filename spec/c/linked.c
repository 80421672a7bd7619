/*
** A host that embeds Lua. The client and the sandbox are linked in, memory comes from the host's
** own allocator, and two states run the same script at once, each in its own thread.
**
**   linked SCRIPT
*/
#include <cekura.h> /* libcekura.a */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int luaopen_cekura_sandbox_server(lua_State *L); /* the sandbox */

#if LUA_VERSION_NUM >= 505 /* Lua 5.5 seeds the hashes of its strings with a number of the host */
#define NEW_STATE(allocate, userdata) lua_newstate(allocate, userdata, luaL_makeseed(NULL))
#else
#define NEW_STATE(allocate, userdata) lua_newstate(allocate, userdata)
#endif

struct state {
  const char *script;
  size_t used, peak; /* bytes that Lua has now, and had at most */
  int status;
};

static void *allocate(void *userdata, void *block, size_t before, size_t after) {
  struct state *state = userdata;
  void *moved = after > 0 ? realloc(block, after) : NULL;
  if (after > 0 && moved == NULL) return NULL;
  if (after == 0) free(block);
  state->used += after - (block != NULL ? before : 0); /* of a new block, `before` is a type */
  if (state->used > state->peak) state->peak = state->used;
  return moved;
}

static int explain(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* Does everything that may raise. The argument is the script's name. */
static int run_script(lua_State *L) {
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cekura_core);
  lua_setfield(L, -2, "cekura.core");
  lua_pushcfunction(L, luaopen_cekura_sandbox_server);
  lua_setfield(L, -2, "cekura.sandbox.server");
  if (luaL_loadfile(L, lua_tostring(L, 1)) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

static void *run(void *argument) {
  struct state *state = argument;
  lua_State *L = NEW_STATE(allocate, state);
  state->status = LUA_ERRMEM;
  if (L == NULL) return NULL;
  lua_pushcfunction(L, explain);
  lua_pushcfunction(L, run_script);
  lua_pushstring(L, state->script);
  state->status = lua_pcall(L, 1, 0, 1);
  if (state->status != LUA_OK) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

int main(int count, char **arguments) {
  struct state states[2] = { { .script = arguments[1] }, { .script = arguments[1] } };
  pthread_t threads[2];
  int failed = 0;
  if (count != 2) return fprintf(stderr, "usage: %s SCRIPT\n", arguments[0]), 2;
  for (int i = 0; i < 2; i++)
    if (pthread_create(&threads[i], NULL, run, &states[i]) != 0) return 2;
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 2; i++) {
    printf("state %d: %s, %zu KiB at most, balance %zu\n", i + 1,
           states[i].status == LUA_OK ? "ok" : "failed", states[i].peak / 1024, states[i].used);
    failed |= states[i].status != LUA_OK || states[i].used != 0;
  }
  return failed;
}
