#include "handlers.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "clock.h"
#include "copy.h"

/*
** What a protected function in the one state needs to know of the other. While it runs, it
** asks of the other state only what cannot raise there.
*/
struct crossing {
  struct ck_handlers *handlers;
  lua_State *host;
  int first; /* index in `host` of the first value to carry over */
  int count;
};

static int now(lua_State *L) {
  lua_pushnumber(L, ck_clock_now());
  return 1;
}

/* package[name] = the string at `index` of the host */
static void carry_string(lua_State *L, lua_State *host, int index, const char *name) {
  ck_copy_value(host, index, L);
  lua_setfield(L, -2, name);
}

static bool is_bare_c_function(lua_State *L, int index) {
  if (!lua_iscfunction(L, index)) return false;
  if (lua_getupvalue(L, index, 1) == NULL) return true;
  lua_pop(L, 1); /* the upvalue */
  return false;
}

/* A host may have linked C modules into itself: they are found here as they are there. */
static void carry_preload(lua_State *L, lua_State *host, int index) {
  lua_getfield(L, -1, "preload");
  lua_pushnil(host);
  while (lua_next(host, index)) { /* host: name, loader */
    if (lua_type(host, -2) == LUA_TSTRING && is_bare_c_function(host, -1)) {
      ck_copy_value(host, -2, L);
      lua_pushcfunction(L, lua_tocfunction(host, -1));
      lua_rawset(L, -3);
    }
    lua_pop(host, 1);
  }
  lua_pop(L, 1);
}

/* In the new state. Host: config, package.path, package.cpath, package.preload. */
static int open_state(lua_State *L) {
  struct crossing *c = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_getglobal(L, LUA_LOADLIBNAME);
  carry_string(L, c->host, c->first + 1, "path");
  carry_string(L, c->host, c->first + 2, "cpath");
  carry_preload(L, c->host, c->first + 3);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cekura.sandbox.app");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "open");
  ck_copy_value(c->host, c->first, L);
  lua_pushcfunction(L, now);
  lua_call(L, 2, 2);
  c->handlers->control = luaL_ref(L, LUA_REGISTRYINDEX);
  c->handlers->handle = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* In the handlers' state: control(…) with what the host's stack has. */
static int call_control(lua_State *L) {
  struct crossing *c = lua_touserdata(L, 1);
  luaL_checkstack(L, c->count + 2, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->handlers->control);
  for (int i = 0; i < c->count; i++) ck_copy_value(c->host, c->first + i, L);
  lua_call(L, c->count, 1);
  return 1;
}

/* In the host: fetches the one value that the handlers' state has on top. */
static int fetch(lua_State *L) {
  lua_State *from = lua_touserdata(L, 1);
  ck_copy_value(from, -1, L);
  return 1;
}

static locale_t new_locale(void) {
  locale_t host = duplocale(LC_GLOBAL_LOCALE);
  if (host == (locale_t)0) return host;
  locale_t changed = newlocale(LC_COLLATE_MASK | LC_CTYPE_MASK | LC_TIME_MASK, "C", host);
  if (changed == (locale_t)0) freelocale(host);
  return changed;
}

int ck_handlers_pcall(struct ck_handlers *handlers, int arguments, int results, int on_error) {
  locale_t before = uselocale(handlers->locale);
  int status = lua_pcall(handlers->state, arguments, results, on_error);
  uselocale(before);
  return status;
}

/* Runs `function` in the handlers' state, and pushes its result, or its error, on the host. */
static int cross(struct crossing *c, lua_CFunction function, int results) {
  lua_State *L = c->handlers->state;
  int top = lua_gettop(c->host); /* what an error leaves above is not wanted */
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, c);
  int status = ck_handlers_pcall(c->handlers, 1, results, 0);
  lua_settop(c->host, top);
  if (status == LUA_OK && results == 0) return LUA_OK;
  lua_pushcfunction(c->host, fetch);
  lua_pushlightuserdata(c->host, L);
  int fetched = lua_pcall(c->host, 1, 1, 0);
  lua_settop(L, 0);
  return status != LUA_OK ? status : fetched;
}

void ck_handlers_open(struct ck_handlers *handlers, lua_State *host, int config) {
  lua_settop(host, config);
  lua_getglobal(host, LUA_LOADLIBNAME);
  lua_getfield(host, config + 1, "path");
  lua_getfield(host, config + 1, "cpath");
  lua_getfield(host, config + 1, "preload");
  lua_remove(host, config + 1);
  luaL_checktype(host, config + 3, LUA_TTABLE);
  luaL_checkstack(host, 8, NULL);
  handlers->state = luaL_newstate();
  if (handlers->state == NULL) luaL_error(host, "not enough memory");
  handlers->locale = new_locale();
  pthread_mutex_init(&handlers->lock, NULL); /* cannot fail with default attributes */
  if (handlers->locale == (locale_t)0) luaL_error(host, "not enough memory");
  struct crossing c = { handlers, host, config, 0 };
  if (cross(&c, open_state, 0) != LUA_OK) lua_error(host);
  lua_settop(host, config);
}

void ck_handlers_control(struct ck_handlers *handlers, lua_State *host, int count) {
  luaL_checkstack(host, 8, NULL);
  struct crossing c = { handlers, host, lua_gettop(host) - count + 1, count };
  pthread_mutex_lock(&handlers->lock);
  int status = cross(&c, call_control, 1);
  pthread_mutex_unlock(&handlers->lock);
  if (status != LUA_OK) lua_error(host);
  lua_insert(host, c.first);
  lua_settop(host, c.first);
}

void ck_handlers_close(struct ck_handlers *handlers) {
  if (handlers->state == NULL) return;
  lua_close(handlers->state);
  if (handlers->locale != (locale_t)0) freelocale(handlers->locale);
  pthread_mutex_destroy(&handlers->lock);
  handlers->state = NULL;
}
