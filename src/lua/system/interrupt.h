/*
** Debug hooks on the main thread. The stock interpreter announces Ctrl-C by one, luaposix every
** signal. Such a hook is run while we wait, and interrupts the wait only if it raises. Its error is
** stored, and a hook of ours raises it as soon as Lua code runs on the main thread again.
*/
#ifndef CK_INTERRUPT_H
#define CK_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

#define CK_INTERRUPT_LOOK 0.1 /* seconds between two runs of the hook while we wait */

struct ck_interrupt;

/* Makes the state's interrupt, which the registry owns; a no-op if there is one. */
void ck_interrupt_open(lua_State *L);

/* Returns the state's interrupt. */
struct ck_interrupt *ck_interrupt_of(lua_State *L);

/* Returns the number of errors that hooks have raised so far; for `before` after a wait. */
unsigned long ck_interrupt_count(const struct ck_interrupt *interrupt);

/*
** Runs the hook of the main thread, if there is one, which may run any Lua code. Returns whether
** hooks have raised errors since the count was `before`. Raises nothing.
*/
bool ck_interrupt_came(struct ck_interrupt *interrupt, unsigned long before);

/*
** Calls as lua_pcall does, without results. An error of a hook is raised on the main thread later,
** and is not a failure of the function. Returns false with the error on the top, nearly always as a
** string, if the function raised.
*/
bool ck_interrupt_protect(lua_State *L, int arguments);

/*
** Calls as lua_pcall does, in a thread that no hook can interrupt: for steps that must not end
** halfway. Returns false with the error on the top if the function raised.
*/
bool ck_interrupt_call_without(lua_State *L, int arguments, int results);

#endif
