#include "interrupt.h"

#include <string.h>

bool ck_interrupt_is_pending(lua_State *main, lua_Hook before) {
  lua_Hook now = lua_gethook(main);
  return now != NULL && now != before;
}

bool ck_interrupt_is_error(lua_State *L) {
  static const char text[] = "interrupted!"; /* lua.c's; a position may stand before it */
  size_t length;
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  return message != NULL && length >= strlen(text) &&
         strcmp(message + length - strlen(text), text) == 0;
}
