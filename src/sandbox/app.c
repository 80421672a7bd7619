/*
** The lua_State of the sandbox's app: opening it, and calling into it from the host's state. Values
** cross by copy.
*/
#include "app.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>

#include "clock.h"
#include "copy.h"

/* A function that runs protected in one state may call only what cannot raise in the other. */
struct crossing {
  struct ck_app *app;
  lua_State *host;
  int first; /* index in `host` of the first value to copy */
  int count;
};

static int now(lua_State *L) {
  lua_pushnumber(L, ck_clock_now());
  return 1;
}

/* Returns whether the value on the top is a C function without upvalues. */
static bool is_plain_c_function(lua_State *L) {
  if (!lua_iscfunction(L, -1)) return false;
  if (lua_getupvalue(L, -1, 1) == NULL) return true;
  lua_pop(L, 1);
  return false;
}

/* Copies C functions from the host's package.preload: a host may have modules linked in. */
static void copy_preload(lua_State *L, lua_State *host, int preload) {
  lua_getfield(L, -1, "preload");
  lua_pushnil(host);
  while (lua_next(host, preload)) { /* host: name, loader */
    if (lua_type(host, -2) == LUA_TSTRING && is_plain_c_function(host)) {
      ck_copy_value(host, -2, L);
      lua_pushcfunction(L, lua_tocfunction(host, -1));
      lua_rawset(L, -3);
    }
    lua_pop(host, 1);
  }
  lua_pop(L, 1);
}

/* Runs in the new state. The host has config, package.path, package.cpath, package.preload. */
static int open_state(lua_State *L) {
  struct crossing *c = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_getglobal(L, LUA_LOADLIBNAME);
  ck_copy_value(c->host, c->first + 1, L);
  lua_setfield(L, -2, "path");
  ck_copy_value(c->host, c->first + 2, L);
  lua_setfield(L, -2, "cpath");
  copy_preload(L, c->host, c->first + 3);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cekura.sandbox.app");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "open");
  ck_copy_value(c->host, c->first, L);
  lua_pushcfunction(L, now);
  lua_call(L, 2, 2);
  c->app->control = luaL_ref(L, LUA_REGISTRYINDEX);
  c->app->handle = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* Runs in the app's state: control(…) with the host's values. */
static int call_control(lua_State *L) {
  struct crossing *c = lua_touserdata(L, 1);
  luaL_checkstack(L, c->count + 2, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->app->control);
  for (int i = 0; i < c->count; i++) ck_copy_value(c->host, c->first + i, L);
  lua_call(L, c->count, 1);
  return 1;
}

/* Runs in the host: returns a copy of the value on the top of the app's state. */
static int fetch(lua_State *L) {
  ck_copy_value(lua_touserdata(L, 1), -1, L);
  return 1;
}

int ck_app_pcall(struct ck_app *app, int arguments, int results, int on_error) {
  locale_t before = uselocale(app->locale);
  int status = lua_pcall(app->state, arguments, results, on_error);
  uselocale(before);
  return status;
}

/* Runs `function` in the app's state, and pushes its result, or its error, on the host. */
static int cross(struct crossing *c, lua_CFunction function, int results) {
  lua_State *L = c->app->state;
  int top = lua_gettop(c->host);
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, c);
  int status = ck_app_pcall(c->app, 1, results, 0);
  lua_settop(c->host, top); /* an error leaves values above */
  if (status == LUA_OK && results == 0) return LUA_OK;
  lua_pushcfunction(c->host, fetch);
  lua_pushlightuserdata(c->host, L);
  int fetched = lua_pcall(c->host, 1, 1, 0);
  lua_settop(L, 0);
  return status != LUA_OK ? status : fetched;
}

/* Returns the host's locale with the collation, letters and times of "C"; 0 without memory. */
static locale_t new_locale(void) {
  locale_t host = duplocale(LC_GLOBAL_LOCALE);
  if (host == (locale_t)0) return host;
  locale_t changed = newlocale(LC_COLLATE_MASK | LC_CTYPE_MASK | LC_TIME_MASK, "C", host);
  if (changed == (locale_t)0) freelocale(host);
  return changed;
}

void ck_app_open(struct ck_app *app, lua_State *host, int config) {
  lua_settop(host, config);
  lua_getglobal(host, LUA_LOADLIBNAME);
  lua_getfield(host, config + 1, "path");
  lua_getfield(host, config + 1, "cpath");
  lua_getfield(host, config + 1, "preload");
  lua_remove(host, config + 1);
  luaL_checktype(host, config + 3, LUA_TTABLE);
  luaL_checkstack(host, 8, NULL);
  app->state = luaL_newstate();
  if (app->state == NULL) luaL_error(host, "not enough memory");
  app->locale = new_locale();
  pthread_mutex_init(&app->lock, NULL); /* cannot fail with default attributes */
  if (app->locale == (locale_t)0) luaL_error(host, "not enough memory");
  struct crossing c = { app, host, config, 0 };
  if (cross(&c, open_state, 0) != LUA_OK) lua_error(host);
  lua_settop(host, config);
}

void ck_app_control(struct ck_app *app, lua_State *host, int count) {
  luaL_checkstack(host, 8, NULL);
  struct crossing c = { app, host, lua_gettop(host) - count + 1, count };
  pthread_mutex_lock(&app->lock);
  int status = cross(&c, call_control, 1);
  pthread_mutex_unlock(&app->lock);
  if (status != LUA_OK) lua_error(host);
  lua_insert(host, c.first);
  lua_settop(host, c.first);
}

void ck_app_close(struct ck_app *app) {
  if (app->state == NULL) return;
  lua_close(app->state);
  if (app->locale != (locale_t)0) freelocale(app->locale);
  pthread_mutex_destroy(&app->lock);
  app->state = NULL;
}
