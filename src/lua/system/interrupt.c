/* Runs the debug hook of the main thread while a call waits, and raises its error afterwards. */
#include "interrupt.h"

#include <lauxlib.h>
#include <signal.h>

static const char interrupt_key;

/* The user values. */
enum { RUNNER = 1, ERROR, QUIET, VALUES = QUIET };

enum { ANY_EVENT = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };

struct ck_interrupt {
  lua_State *main, *quiet;
  lua_Hook hook; /* of the main thread, which ours has replaced */
  int mask, count;
  unsigned long raised; /* errors of hooks so far */
  bool pending;         /* the last of them has not been raised on the main thread yet */
  bool noted;           /* the error that is being caught is a hook's */
};

void ck_interrupt_open(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &interrupt_key) == LUA_TNIL) {
    struct ck_interrupt *interrupt = lua_newuserdatauv(L, sizeof(*interrupt), VALUES);
    *interrupt = (struct ck_interrupt){ 0 };
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    interrupt->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    interrupt->quiet = lua_newthread(L);
    lua_sethook(interrupt->quiet, NULL, 0, 0); /* inherited from L */
    lua_setiuservalue(L, -2, QUIET);
    if (luaL_loadbufferx(L, "return", 6, "=cekura", "t") != LUA_OK) (void)lua_error(L);
    lua_setiuservalue(L, -2, RUNNER);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &interrupt_key);
  }
  lua_pop(L, 1);
}

static struct ck_interrupt *push(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &interrupt_key);
  return lua_touserdata(L, -1);
}

struct ck_interrupt *ck_interrupt_of(lua_State *L) {
  struct ck_interrupt *interrupt = push(L);
  lua_pop(L, 1);
  return interrupt;
}

bool ck_interrupt_call_without(lua_State *L, int arguments, int results) {
  lua_State *quiet = ck_interrupt_of(L)->quiet;
  if (!lua_checkstack(quiet, arguments + results + 1)) luaL_error(L, "not enough memory");
  lua_xmove(L, quiet, arguments + 1);
  bool ok = lua_pcall(quiet, arguments, results, 0) == LUA_OK;
  lua_xmove(quiet, L, ok ? results : 1);
  return ok;
}

/* A coroutine that is made meanwhile inherits the hook, but not the error. */
static void raise_stored(lua_State *L, lua_Debug *unused) {
  (void)unused;
  struct ck_interrupt *interrupt = push(L);
  if (L != interrupt->main || !interrupt->pending) {
    lua_sethook(L, NULL, 0, 0);
    lua_pop(L, 1);
    return;
  }
  interrupt->pending = false;
  lua_sethook(L, interrupt->hook, interrupt->mask, interrupt->count);
  lua_getiuservalue(L, -1, ERROR);
  lua_pushnil(L);
  lua_setiuservalue(L, -3, ERROR);
  (void)lua_error(L);
}

/* Sets our hook. The one that it replaces is set again when the error is raised. */
static void arm(struct ck_interrupt *interrupt) {
  lua_State *main = interrupt->main;
  if (lua_gethook(main) == raise_stored) return;
  interrupt->hook = lua_gethook(main);
  interrupt->mask = lua_gethookmask(main);
  interrupt->count = lua_gethookcount(main);
  lua_sethook(main, raise_stored, ANY_EVENT, 1);
}

/* interrupt, error → */
static void store(lua_State *L, struct ck_interrupt *interrupt) {
  lua_setiuservalue(L, -2, ERROR);
  lua_pop(L, 1);
  interrupt->raised++;
  interrupt->pending = true;
  arm(interrupt);
}

/* Runs a few instructions on the main thread, which is below us on the C stack, or not running. */
static void run(struct ck_interrupt *interrupt) {
  lua_State *main = interrupt->main;
  if (lua_status(main) != LUA_OK || !lua_checkstack(main, 3)) return;
  (void)push(main);
  lua_getiuservalue(main, -1, RUNNER);
  if (lua_pcall(main, 0, 0, 0) != LUA_OK) store(main, interrupt);
  else lua_pop(main, 1);
}

unsigned long ck_interrupt_count(const struct ck_interrupt *interrupt) { return interrupt->raised; }

bool ck_interrupt_came(struct ck_interrupt *interrupt, unsigned long before) {
  lua_Hook hook = lua_gethook(interrupt->main);
  if (hook != NULL && hook != raise_stored) run(interrupt);
  if (interrupt->pending) arm(interrupt);
  return interrupt->raised != before;
}

static void note_that_hooks_run(lua_State *L, lua_Debug *unused) {
  (void)unused;
  ck_interrupt_of(L)->noted = false;
}

static int do_nothing(lua_State *L) {
  (void)L;
  return 0;
}

/*
** Returns whether the thread is within a hook. It sets a hook and calls a function: Lua runs no
** hook within another. Signals are blocked, because a hook that they set would be lost.
*/
static bool is_in_some_hook(lua_State *L, struct ck_interrupt *interrupt) {
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  lua_Hook hook = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  interrupt->noted = true;
  lua_sethook(L, note_that_hooks_run, LUA_MASKCALL, 0);
  lua_pushcfunction(L, do_nothing);
  (void)lua_pcall(L, 0, 0, 0);
  lua_sethook(L, hook, mask, count);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return interrupt->noted;
}

/* function, arguments: marks the frames of a protected call, for the search below. */
static int guarded(lua_State *L) {
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

/*
** Returns whether a hook within the protected call has raised the error. The search misses a hook
** whose function ends with a tail call, and has no frame.
*/
static bool note(lua_State *L) {
  struct ck_interrupt *interrupt = ck_interrupt_of(L);
  lua_Debug frame;
  bool in_hook = false, is_outside = false, has_tail_call = false;
  for (int level = 0; !in_hook && !is_outside && lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "nft", &frame);
    in_hook = frame.namewhat[0] == 'h'; /* "hook" is the only such word */
    has_tail_call = has_tail_call || frame.istailcall;
    is_outside = lua_tocfunction(L, -1) == guarded;
    lua_pop(L, 1);
  }
  interrupt->noted = in_hook || (has_tail_call && is_in_some_hook(L, interrupt));
  return interrupt->noted;
}

/* A message handler, so that a __tostring that raises is caught as well. */
static int describe(lua_State *L) {
  if (!note(L)) luaL_tolstring(L, 1, NULL);
  return 1;
}

/* Pops the error on the top if it was noted, and returns whether it was. */
static bool take(lua_State *L) {
  struct ck_interrupt *interrupt = push(L);
  if (!interrupt->noted) {
    lua_pop(L, 1);
    return false;
  }
  interrupt->noted = false;
  lua_insert(L, -2);
  store(L, interrupt);
  return true;
}

bool ck_interrupt_protect(lua_State *L, int arguments) {
  int function = lua_gettop(L) - arguments;
  lua_pushcfunction(L, describe);
  lua_pushcfunction(L, guarded);
  lua_rotate(L, function, 2); /* describe, guarded, function, arguments */
  bool ok = lua_pcall(L, arguments + 1, 0, function) == LUA_OK;
  lua_remove(L, function);
  return ok || take(L);
}
