#include "system.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../core/clock.h"

enum { USUAL_WIDTH = 80 };

/* monotime(): seconds since an arbitrary moment */
static int system_monotime(lua_State *L) {
  lua_pushnumber(L, ck_clock_now());
  return 1;
}

/* Whether the cursor on stderr goes where it is told to. */
static bool is_terminal(void) {
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
}

/* terminal_width(): the columns of the terminal that stderr is; nil where it is none */
static int system_terminal_width(lua_State *L) {
  struct winsize size = { 0 };
  if (is_terminal()) {
    bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    lua_pushinteger(L, is_known ? size.ws_col : USUAL_WIDTH);
  } else {
    luaL_pushfail(L);
  }
  return 1;
}

/*
** guard_output(): for programs. A closed standard descriptor is opened, so that no other file gets
** its number; writing to it still fails. Writing to a closed pipe, or beyond the limit of a file's
** size, fails, too, and does not kill.
*/
static int system_guard_output(lua_State *L) {
  (void)L;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0)
      (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* the lowest number: fd */
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
