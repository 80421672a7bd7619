/*
** A Lua module that forks, for the specs.
**
**   fork.run(fn)    runs fn in a child; returns its result as a string, nil if the child failed
**   fork.bare(fn)   likewise; the C library is not notified of the fork
**   fork.go_on()    forks; returns true in the child, false in the parent after its end
**   fork.hold()     forks a child that keeps its descriptors open until the parent ends
*/
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_fork(lua_State *L);

enum { CHUNK = 1024 };

/* Writes the result of the function, and ends without finalizers, which are the parent's. */
static void be_child(lua_State *L, int out) {
  size_t length;
  (void)lua_pcall(L, 0, 1, 0);
  const char *text = luaL_tolstring(L, -1, &length);
  _exit(write(out, text, length) == (ssize_t)length ? 0 : 1);
}

static void push_all(lua_State *L, int in) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (ssize_t count; (count = read(in, luaL_prepbuffsize(&text, CHUNK), CHUNK)) > 0;)
    luaL_addsize(&text, (size_t)count);
  luaL_pushresult(&text);
}

static bool await(pid_t child) {
  int status;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

static int run_in(lua_State *L, pid_t (*make)(void)) {
  int ends[2];
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  if (pipe(ends) != 0) return luaL_error(L, "no pipe");
  pid_t child = make();
  if (child == 0) be_child(L, ends[1]);
  (void)close(ends[1]);
  push_all(L, ends[0]);
  (void)close(ends[0]);
  if (!await(child)) lua_pushnil(L);
  return 1;
}

static int run(lua_State *L) { return run_in(L, fork); }

static pid_t bare_fork(void) { return (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L); }

static int bare(lua_State *L) { return run_in(L, bare_fork); }

static int hold(lua_State *L) {
  int ends[2];
  char byte;
  if (pipe(ends) != 0) return luaL_error(L, "no pipe");
  if (fork() == 0) {
    (void)close(ends[1]);
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  (void)close(ends[0]); /* the other end is closed by the end of this process */
  return 0;
}

static int go_on(lua_State *L) {
  pid_t child = fork();
  if (child != 0) (void)await(child);
  lua_pushboolean(L, child == 0);
  return 1;
}

int luaopen_fork(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "run", run }, { "bare", bare }, { "go_on", go_on }, { "hold", hold }, { NULL, NULL }
  };
  luaL_newlib(L, functions);
  return 1;
}
