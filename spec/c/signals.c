/*
** Signal handlers for a script, called as luaposix and the stock interpreter do: by a hook on the
** main thread.
**
**   signals.on("HUP", fn)   calls fn() at each signal: HUP, USR1 or TERM
*/
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>

__attribute__((visibility("default"))) int luaopen_signals(lua_State *L);

enum { COUNT = 3 };

static const char *const names[COUNT + 1] = { "HUP", "USR1", "TERM", NULL };
static const int numbers[COUNT] = { SIGHUP, SIGUSR1, SIGTERM };
static volatile sig_atomic_t came[COUNT];
static lua_State *main_thread;

static void run_handlers(lua_State *L, lua_Debug *unused) {
  (void)unused;
  lua_sethook(L, NULL, 0, 0);
  for (int i = 0; i < COUNT; i++) {
    if (!came[i]) continue;
    came[i] = 0;
    lua_getfield(L, LUA_REGISTRYINDEX, names[i]);
    lua_call(L, 0, 0);
  }
}

static void announce(int number) {
  for (int i = 0; i < COUNT; i++)
    if (numbers[i] == number) came[i] = 1;
  lua_sethook(main_thread, run_handlers, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static int on(lua_State *L) {
  int i = luaL_checkoption(L, 1, NULL, names);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, names[i]);
  struct sigaction action = { .sa_handler = announce };
  (void)sigaction(numbers[i], &action, NULL);
  return 0;
}

int luaopen_signals(lua_State *L) {
  static const luaL_Reg functions[] = { { "on", on }, { NULL, NULL } };
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main_thread = lua_tothread(L, -1);
  luaL_newlib(L, functions);
  return 1;
}
