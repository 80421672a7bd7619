/* Fuzzes the checks of an endpoint with right and wrong arguments. check.lua is the oracle. */
#include <lauxlib.h>
#include <string.h>

#include "contract/contract.h"
#include "value.h"

enum { VALUES = 40, ITEMS = 5 };

/* ---- values that fit the contract ----------------------------------------------------------- */

static void push_id(lua_State *L, struct fuzz_input *input) {
  static const char *const texts[] = { "5544", "007", "9223372036854775807", "9007199254740993" };
  uint8_t choice = fuzz_byte(input);
  if (choice < 128) lua_pushinteger(L, (lua_Integer)choice + 1);
  else if (choice < 192) lua_pushnumber(L, (lua_Number)choice);
  else lua_pushstring(L, texts[choice % 4]);
}

static void push_text(lua_State *L, struct fuzz_input *input) {
  char text[8];
  size_t length = fuzz_pick(input, sizeof(text));
  for (size_t i = 0; i < length; i++) text[i] = (char)fuzz_byte(input);
  lua_pushlstring(L, text, length);
}

static void push_list(lua_State *L, struct fuzz_input *input,
                      void (*push)(lua_State *, struct fuzz_input *)) {
  unsigned count = fuzz_pick(input, ITEMS);
  lua_newtable(L);
  for (unsigned i = 1; i <= count; i++) {
    push(L, input);
    lua_rawseti(L, -2, i);
  }
}

static void push_enum(lua_State *L, struct fuzz_input *input, const struct ck_field *field) {
  unsigned count = 0;
  while (field->values[count] != NULL) count++;
  lua_pushstring(L, field->values[fuzz_pick(input, count)]);
}

static void push_object(lua_State *L, struct fuzz_input *input) {
  lua_newtable(L);
  push_text(L, input);
  lua_setfield(L, -2, "a");
}

static void push_enum_list(lua_State *L, struct fuzz_input *input, const struct ck_field *field) {
  unsigned count = fuzz_pick(input, ITEMS);
  lua_newtable(L);
  for (unsigned i = 1; i <= count; i++) {
    push_enum(L, input, field);
    lua_rawseti(L, -2, i);
  }
}

static void push_right(lua_State *L, struct fuzz_input *input, const struct ck_field *field);

static void push_object_list(lua_State *L, struct fuzz_input *input, const struct ck_field *field) {
  unsigned count = fuzz_pick(input, ITEMS);
  lua_newtable(L);
  for (unsigned i = 1; i <= count; i++) {
    lua_newtable(L);
    for (size_t n = 0; n < field->field_count; n++) {
      push_right(L, input, &field->fields[n]);
      lua_setfield(L, -2, field->fields[n].name);
    }
    lua_rawseti(L, -2, i);
  }
}

static void push_right(lua_State *L, struct fuzz_input *input, const struct ck_field *field) {
  switch (field->type) {
    case CK_TYPE_ID_LIST:
    case CK_TYPE_ID_STRINGS: push_list(L, input, push_id); break;
    case CK_TYPE_STRING_LIST:
    case CK_TYPE_ANY_LIST: push_list(L, input, push_text); break;
    case CK_TYPE_ENUM_LIST: push_enum_list(L, input, field); break;
    case CK_TYPE_OBJECT_LIST: push_object_list(L, input, field); break;
    case CK_TYPE_NUMBER: lua_pushnumber(L, fuzz_byte(input) / 7.0); break;
    case CK_TYPE_SELECTION: lua_pushliteral(L, "{id,metadata{reason}}"); break;
    case CK_TYPE_STRING:
    case CK_TYPE_ANY: push_text(L, input); break;
    case CK_TYPE_TIME: lua_pushliteral(L, "2025-01-01T00:00:00Z"); break;
    case CK_TYPE_ENUM: push_enum(L, input, field); break;
    case CK_TYPE_BOOLEAN: lua_pushboolean(L, fuzz_byte(input) & 1); break;
    case CK_TYPE_JSON_TEXT: push_object(L, input); break;
    default: push_id(L, input);
  }
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void set_field(lua_State *L, struct fuzz_input *input, const struct ck_field *field,
                      int *left) {
  switch (fuzz_pick(input, 4)) {
    case 0: return;
    case 1: fuzz_push_value(L, input, left); break;
    default: push_right(L, input, field);
  }
  lua_setfield(L, -2, field->name);
}

static void set_unknown(lua_State *L, struct fuzz_input *input, int *left) {
  if (fuzz_pick(input, 8) != 1) return;
  push_text(L, input);
  fuzz_push_value(L, input, left);
  lua_rawset(L, -3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  struct fuzz_input input = { data, size };
  int left = VALUES;
  if (L == NULL) L = fuzz_open("check", false);
  const struct ck_endpoint *endpoint =
      &ck_endpoints[fuzz_pick(&input, (unsigned)ck_endpoint_count)];
  lua_pushstring(L, endpoint->name);
  lua_newtable(L);
  for (size_t i = 0; i < endpoint->field_count; i++)
    set_field(L, &input, &endpoint->fields[i], &left);
  set_unknown(L, &input, &left);
  fuzz_judge(L, 2);
  return 0;
}
