/*
** The module cekura.sandbox.server: a userdata that is a running sandbox. What it answers is
** decided by the Lua module cekura.sandbox.app, in a state of the server's own.
**
**   start(config)          a server, for the table that cekura.sandbox.app gets;
**                          config.port: 0 = a free one. Raises where it cannot.
**   server:control(what, …)  asks cekura.sandbox.app something; plain values in and out
**   server:port()          a number
**   server:connections()   how many TCP connections have been accepted
**   server:stop()          also __gc and __close; nothing else works afterwards
**   until_signal(f)        calls f(), then returns once SIGINT or SIGTERM has come
*/
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "handlers.h"
#include "listener.h"

static const char SERVER[] = "cekura.sandbox.server";

struct server {
  struct ck_handlers handlers;
  struct ck_listener listener;
  pid_t owner; /* the process that started it: a child of that has no such thread */
  bool running;
};

static int server_stop(lua_State *L) {
  struct server *server = luaL_checkudata(L, 1, SERVER);
  if (server->owner != getpid()) {
    ck_listener_abandon(&server->listener);
  } else {
    ck_listener_close(&server->listener); /* first: its thread uses the handlers */
    ck_handlers_close(&server->handlers);
  }
  server->running = false;
  return 0;
}

static struct server *new_server(lua_State *L) {
  struct server *server = lua_newuserdatauv(L, sizeof *server, 0);
  memset(server, 0, sizeof *server);
  server->owner = getpid();
  luaL_setmetatable(L, SERVER);
  return server;
}

static struct server *check_running(lua_State *L) {
  struct server *server = luaL_checkudata(L, 1, SERVER);
  if (server->owner != getpid())
    luaL_error(L, "the sandbox belongs to the process that started it, this is a child of that");
  if (!server->running) luaL_error(L, "the sandbox has been stopped");
  return server;
}

static unsigned short check_port(lua_State *L, int config) {
  lua_getfield(L, config, "port");
  lua_Integer port = luaL_optinteger(L, -1, 0);
  if (port < 0 || port > 65535) luaL_error(L, "port: not between 0 and 65535");
  lua_pop(L, 1);
  return (unsigned short)port;
}

/* config → server. An error leaves the userdata to the collector, which stops what there is. */
static int start(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  unsigned short port = check_port(L, 1);
  lua_settop(L, 1);
  struct server *server = new_server(L);
  lua_insert(L, 1); /* server, config */
  ck_handlers_open(&server->handlers, L, 2);
  const char *problem = ck_listener_open(&server->listener, &server->handlers, port);
  if (problem != NULL)
    return luaL_error(L, "%s on 127.0.0.1:%d: %s", problem, (int)port,
                      errno ? strerror(errno) : "no reason given");
  server->running = true;
  lua_settop(L, 1);
  return 1;
}

static int server_control(lua_State *L) {
  struct server *server = check_running(L);
  ck_handlers_control(&server->handlers, L, lua_gettop(L) - 1);
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

/* The signals are held back before f() runs, so that one that comes early is not lost. */
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
