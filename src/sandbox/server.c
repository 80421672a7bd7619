/*
** The module cekura.sandbox.server: a userdata for a running sandbox. The Lua module
** cekura.sandbox.app decides on the responses, in a state of the server's own.
**
**   start(config)            returns a server. The app gets the config; config.port = 0 chooses a
**                            free port. Raises if the server cannot start.
**   server:control(what, …)  calls the app's control function with plain values
**   server:port()            returns the number of the port
**   server:connections()     returns how many TCP connections have been accepted
**   server:stop()            also __gc and __close; afterwards the other methods raise
**   until_signal(f)          calls f(), then waits for SIGINT or SIGTERM
*/
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "listener.h"

static const char SERVER[] = "cekura.sandbox.server";

struct server {
  struct ck_app app;
  struct ck_listener listener;
  pid_t owner; /* the process that started it: a forked child has no thread */
  bool running;
};

static int server_stop(lua_State *L) {
  struct server *server = luaL_checkudata(L, 1, SERVER);
  if (server->owner != getpid()) {
    ck_listener_abandon(&server->listener);
  } else {
    ck_listener_close(&server->listener); /* first: its thread uses the app */
    ck_app_close(&server->app);
  }
  server->running = false;
  return 0;
}

static struct server *check_running(lua_State *L) {
  struct server *server = luaL_checkudata(L, 1, SERVER);
  if (server->owner != getpid())
    luaL_error(L, "the sandbox was started before fork: only the parent process can use it");
  if (!server->running) luaL_error(L, "the sandbox has been stopped");
  return server;
}

/* If it raises, the collector stops what was started. */
static int start(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "port");
  lua_Integer port = luaL_optinteger(L, -1, 0);
  if (port < 0 || port > 65535) return luaL_error(L, "port: must be from 0 to 65535");
  lua_settop(L, 1);
  struct server *server = lua_newuserdatauv(L, sizeof *server, 0);
  memset(server, 0, sizeof *server);
  server->owner = getpid();
  luaL_setmetatable(L, SERVER);
  lua_insert(L, 1); /* server, config */
  ck_app_open(&server->app, L, 2);
  const char *problem = ck_listener_open(&server->listener, &server->app, (unsigned short)port);
  if (problem != NULL)
    return luaL_error(L, "%s on 127.0.0.1:%d: %s", problem, (int)port,
                      errno ? strerror(errno) : "no reason given");
  server->running = true;
  lua_settop(L, 1);
  return 1;
}

static int server_control(lua_State *L) {
  struct server *server = check_running(L);
  ck_app_control(&server->app, L, lua_gettop(L) - 1);
  return 1;
}

static int server_port(lua_State *L) {
  lua_pushinteger(L, check_running(L)->listener.port);
  return 1;
}

static int server_connections(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)atomic_load(&check_running(L)->listener.connections));
  return 1;
}

/* The signals are blocked before f() runs, so that an early one is not lost. */
static int until_signal(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  sigset_t awaited, before;
  int received;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGTERM);
  int failed = pthread_sigmask(SIG_BLOCK, &awaited, &before);
  if (failed) return luaL_error(L, "cannot wait for signals: %s", strerror(failed));
  int status = lua_pcall(L, 0, 0, 0);
  if (status == LUA_OK) failed = sigwait(&awaited, &received);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status != LUA_OK) return lua_error(L);
  if (failed) return luaL_error(L, "cannot wait for signals: %s", strerror(failed));
  return 0;
}

static const luaL_Reg METHODS[] = {
  { "control", server_control },
  { "port", server_port },
  { "connections", server_connections },
  { "stop", server_stop },
  { "__gc", server_stop },
  { "__close", server_stop },
  { NULL, NULL },
};

static const luaL_Reg FUNCTIONS[] = {
  { "start", start },
  { "until_signal", until_signal },
  { NULL, NULL },
};

__attribute__((visibility("default"))) int luaopen_cekura_sandbox_server(lua_State *L);

int luaopen_cekura_sandbox_server(lua_State *L) {
  luaL_newmetatable(L, SERVER);
  luaL_setfuncs(L, METHODS, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, FUNCTIONS);
  return 1;
}
