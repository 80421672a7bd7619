/*
** Functions of the system that Lua's libraries lack: a monotonic clock, the width of the terminal,
** output that can fail without ending the process.
*/
#include "system.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "http/clock.h"

enum { USUAL_WIDTH = 80 }; /* of a terminal that does not report its width */

static int system_monotime(lua_State *L) {
  lua_pushnumber(L, ck_clock_now());
  return 1;
}

static int system_terminal_width(lua_State *L) {
  struct winsize size = { 0 };
  const char *term = getenv("TERM");
  int fd = lua_toboolean(L, 1) ? STDOUT_FILENO : STDERR_FILENO;
  if (!isatty(fd) || (term != NULL && strcmp(term, "dumb") == 0)) {
    luaL_pushfail(L);
    return 1;
  }
  bool is_known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, is_known ? size.ws_col : USUAL_WIDTH);
  return 1;
}

static int system_guard_output(lua_State *L) {
  (void)L;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0)
      (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* gets the number fd */
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN);
  return 0;
}

void ck_system_add(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "monotime", system_monotime },
    { "terminal_width", system_terminal_width },
    { "guard_output", system_guard_output },
    { NULL, NULL },
  };
  luaL_setfuncs(L, functions, 0);
}
