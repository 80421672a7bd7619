/*
** Ctrl-C. The stock interpreter answers it with a hook on its main thread, which raises
** "interrupted!" as soon as Lua code runs there. We install no handler of our own: we look
** for the hook while we wait, and let its error through where we catch others.
*/
#ifndef CK_INTERRUPT_H
#define CK_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

#define CK_INTERRUPT_LOOK 0.1 /* seconds between two looks, while we wait */

/* Whether a hook stands on the main thread that was not there before. */
bool ck_interrupt_is_pending(lua_State *main, lua_Hook before);

/* Whether the error on the top is that one. */
bool ck_interrupt_is_error(lua_State *L);

#endif
