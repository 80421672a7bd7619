/*
** Makes Lua values from the bytes of an input: one function per kind of value.
*/
#include "value.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

struct maker {
  lua_State *L;
  struct fuzz_input *input;
  int *left;
  int outer; /* stack index of the table that will contain the value, 0 = none */
};

enum { FEW = 8, DEEP = 160, QUICK = 6 };

static void push_within(const struct maker *maker, int outer);

/* ---- single values ------------------------------------------------------------------------ */

static void push_nil(const struct maker *maker) { lua_pushnil(maker->L); }
static void push_null(const struct maker *maker) { lua_pushlightuserdata(maker->L, NULL); }

static void push_boolean(const struct maker *maker) {
  lua_pushboolean(maker->L, fuzz_byte(maker->input) & 1);
}

static void push_small(const struct maker *maker) {
  lua_pushinteger(maker->L, (lua_Integer)fuzz_byte(maker->input) - 16);
}

static void take(struct fuzz_input *input, void *to, size_t size) {
  uint8_t *bytes = to;
  for (size_t i = 0; i < size; i++) bytes[i] = fuzz_byte(input);
}

static void push_integer(const struct maker *maker) {
  lua_Integer value;
  take(maker->input, &value, sizeof(value));
  lua_pushinteger(maker->L, value);
}

static void push_float(const struct maker *maker) {
  lua_Number value;
  take(maker->input, &value, sizeof(value));
  lua_pushnumber(maker->L, value);
}

static void push_special(const struct maker *maker) {
  static const lua_Number values[] = { (lua_Number)NAN,
                                       (lua_Number)INFINITY,
                                       -(lua_Number)INFINITY,
                                       -0.0,
                                       9007199254740993.0,
                                       1e15,
                                       5e-324,
                                       1.7976931348623157e308,
                                       0.1,
                                       9223372036854775808.0,
                                       5544.0,
                                       1e-7 };
  lua_pushnumber(maker->L, values[fuzz_pick(maker->input, sizeof(values) / sizeof(values[0]))]);
}

static void push_text(const struct maker *maker) {
  char text[32];
  size_t length = fuzz_pick(maker->input, sizeof(text));
  take(maker->input, text, length);
  lua_pushlstring(maker->L, text, length);
}

static void push_digits(const struct maker *maker) {
  lua_pushfstring(maker->L, "%d", (int)fuzz_byte(maker->input));
}

static int do_nothing(lua_State *L) {
  (void)L;
  return 0;
}

static void push_no_json(const struct maker *maker) {
  switch (fuzz_pick(maker->input, 4)) {
    case 0: lua_pushcfunction(maker->L, do_nothing); break;
    case 1: lua_newuserdatauv(maker->L, 1, 0); break;
    case 2: lua_newthread(maker->L); break;
    default: lua_pushlightuserdata(maker->L, maker->input);
  }
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void push_list(const struct maker *maker) {
  unsigned count = fuzz_pick(maker->input, FEW);
  lua_newtable(maker->L);
  for (unsigned i = 1; i <= count; i++) {
    push_within(maker, lua_gettop(maker->L));
    lua_rawseti(maker->L, -2, i);
  }
}

static void push_list_with_hole(const struct maker *maker) {
  push_list(maker);
  lua_pushboolean(maker->L, 1);
  lua_rawseti(maker->L, -2, (lua_Integer)fuzz_byte(maker->input) - 2);
}

static void push_object(const struct maker *maker) {
  unsigned count = fuzz_pick(maker->input, FEW);
  lua_newtable(maker->L);
  for (unsigned i = 0; i < count; i++) {
    push_text(maker);
    push_within(maker, lua_gettop(maker->L) - 1);
    lua_rawset(maker->L, -3);
  }
}

/* The keys are of any kind except nil and NaN. */
static void push_mixed(const struct maker *maker) {
  lua_State *L = maker->L;
  lua_newtable(L);
  for (int i = 0; i < 2; i++) {
    push_within(maker, lua_gettop(L));
    if (lua_isnil(L, -1) || !lua_rawequal(L, -1, -1)) {
      lua_pop(L, 1);
      lua_pushboolean(L, 1);
    }
    push_within(maker, lua_gettop(L) - 1);
    lua_rawset(L, -3);
  }
}

static void push_marked(const struct maker *maker) {
  lua_getglobal(maker->L, "mark"); /* cekura.array, set by the oracle */
  push_list_with_hole(maker);
  if (fuzz_byte(maker->input) & 1) { /* a list without holes */
    lua_pop(maker->L, 1);
    push_list(maker);
  }
  lua_call(maker->L, 1, 1);
}

static int raise(lua_State *L) { return luaL_error(L, "a metamethod was called"); }

static void push_with_metatable(const struct maker *maker) {
  static const luaL_Reg metamethods[] = { { "__index", raise },    { "__len", raise },
                                          { "__pairs", raise },    { "__eq", raise },
                                          { "__tostring", raise }, { NULL, NULL } };
  push_object(maker);
  luaL_newlib(maker->L, metamethods);
  lua_setmetatable(maker->L, -2);
}

/* Pushes the table that will contain this value, which then contains itself. */
static void push_outer(const struct maker *maker) {
  if (maker->outer != 0) lua_pushvalue(maker->L, maker->outer);
  else lua_newtable(maker->L);
}

/* A tree of 2^n values is small, or refused as too deep; between the two it takes too long. */
static bool is_quick(unsigned depth) { return depth < QUICK || depth == DEEP - 1; }

/*
** Nested tables, up to the allowed depth and deeper. Each may contain the next one twice, which
** gives a tree of 2^n values, but only one such tree per input.
*/
static void push_deep(const struct maker *maker) {
  unsigned depth = fuzz_pick(maker->input, DEEP), twice = fuzz_byte(maker->input) & 1;
  if (!is_quick(depth)) twice = 0;
  if (twice) *maker->left = 0;
  push_within(maker, 0);
  for (unsigned i = 0; i < depth; i++) {
    lua_newtable(maker->L);
    lua_insert(maker->L, -2);
    if (twice) {
      lua_pushvalue(maker->L, -1);
      lua_rawseti(maker->L, -3, 2);
    }
    lua_rawseti(maker->L, -2, 1);
  }
}

/* ---- any value ------------------------------------------------------------------------------- */

static void (*const makers[])(const struct maker *maker) = {
  push_nil,     push_null,  push_boolean, push_small,          push_integer, push_float,
  push_special, push_text,  push_digits,  push_no_json,        push_list,    push_list_with_hole,
  push_object,  push_mixed, push_marked,  push_with_metatable, push_outer,   push_deep,
};

static void push_within(const struct maker *maker, int outer) {
  struct maker inner = *maker;
  inner.outer = outer;
  luaL_checkstack(maker->L, 12, "value");
  if (--*maker->left < 0) push_small(maker);
  else makers[fuzz_pick(maker->input, sizeof(makers) / sizeof(makers[0]))](&inner);
}

void fuzz_push_value(lua_State *L, struct fuzz_input *input, int *left) {
  struct maker maker = { L, input, left, 0 };
  push_within(&maker, 0);
}
