#include "endpoints.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "../core/contract.h"

/* ---- tables that cannot be changed ----------------------------------------------------------- */

static int refuse_write(lua_State *L) { return luaL_error(L, "cekura.endpoints is read-only"); }

static int frozen_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
  return 1;
}

static int frozen_next(lua_State *L) {
  lua_settop(L, 2);
  return lua_next(L, lua_upvalueindex(1)) ? 2 : 0;
}

static int frozen_pairs(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushcclosure(L, frozen_next, 1);
  return 1;
}

static int frozen_index(lua_State *L) {
  lua_settop(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

static const luaL_Reg frozen[] = { { "__index", frozen_index },
                                   { "__len", frozen_len },
                                   { "__pairs", frozen_pairs },
                                   { "__newindex", refuse_write },
                                   { NULL, NULL } };

/* Replaces the table on the top by one that reads as these metamethods say. */
static void freeze_as(lua_State *L, const luaL_Reg *metamethods) {
  lua_newtable(L);
  lua_newtable(L); /* data, proxy, metatable */
  lua_pushvalue(L, -3);
  luaL_setfuncs(L, metamethods, 1);
  lua_pushliteral(L, "read-only");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

static void freeze(lua_State *L) { freeze_as(L, frozen); }

/* ---- rows -------------------------------------------------------------------------------------- */

static void set_string(lua_State *L, const char *name, const char *value) {
  if (value == NULL) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static void set_boolean(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

static void set_count(lua_State *L, const char *name, unsigned value) {
  if (value == 0) return;
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

static void set_enum(lua_State *L, const char *const *values) {
  if (values == NULL) return;
  lua_newtable(L);
  for (int i = 0; values[i] != NULL; i++) {
    lua_pushstring(L, values[i]);
    lua_rawseti(L, -2, i + 1);
  }
  freeze(L);
  lua_setfield(L, -2, "enum");
}

static void push_field(lua_State *L, const struct ck_field *field) {
  static const char *const places[] = { "path", "query", "body" };
  lua_newtable(L);
  set_string(L, "name", field->name);
  set_string(L, "type", ck_type_name(field->type));
  set_string(L, "items", ck_type_items(field->type));
  set_string(L, "format", ck_type_format(field->type));
  set_string(L, "place", places[field->place]);
  set_boolean(L, "required", field->required);
  set_boolean(L, "nullable", field->nullable);
  set_count(L, "minimum", field->minimum);
  set_count(L, "min_length", field->min_length);
  set_count(L, "min_items", field->min_items);
  set_count(L, "max_items", field->max_items);
  set_enum(L, field->values);
  set_string(L, "description", field->doc);
  freeze(L);
}

static void set_fields(lua_State *L, const struct ck_endpoint *endpoint) {
  lua_createtable(L, (int)endpoint->field_count, 0);
  for (size_t i = 0; i < endpoint->field_count; i++) {
    push_field(L, &endpoint->fields[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  freeze(L);
  lua_setfield(L, -2, "fields");
}

static bool is_one_of(const struct ck_field *field) { return field->one_of; }
static bool is_counted(const struct ck_field *field) { return field->counted; }

/* The names of the fields that are chosen, or nothing where none are. */
static void set_names(lua_State *L, const char *name, const struct ck_endpoint *endpoint,
                      bool (*is_chosen)(const struct ck_field *)) {
  lua_newtable(L);
  for (size_t i = 0; i < endpoint->field_count; i++) {
    if (!is_chosen(&endpoint->fields[i])) continue;
    lua_pushstring(L, endpoint->fields[i].name);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  if (lua_rawlen(L, -1) == 0) {
    lua_pop(L, 1);
    return;
  }
  freeze(L);
  lua_setfield(L, -2, name);
}

static void push_endpoint(lua_State *L, const struct ck_endpoint *endpoint) {
  lua_newtable(L);
  set_string(L, "name", endpoint->name);
  set_string(L, "resource", endpoint->resource);
  set_string(L, "call", endpoint->call);
  set_string(L, "operation", endpoint->operation);
  set_string(L, "method", endpoint->method);
  set_string(L, "path", endpoint->path);
  set_string(L, "summary", endpoint->summary);
  set_string(L, "returns", endpoint->returns);
  set_boolean(L, "spends_credits", endpoint->spends_credits);
  set_boolean(L, "idempotent", endpoint->idempotent);
  set_boolean(L, "evaluations_at_least", endpoint->at_least);
  set_boolean(L, "partial", endpoint->partial);
  set_names(L, "one_of", endpoint, is_one_of);
  set_names(L, "evaluations", endpoint, is_counted);
  set_fields(L, endpoint);
  freeze(L);
}

/* ---- all of them, made when somebody looks: most programs never do, and they are many tables --- */

/* The last row is the last that is set: where it is, all are. */
static void fill(lua_State *L, int data) {
  if (lua_rawgeti(L, data, (lua_Integer)ck_endpoint_count) == LUA_TNIL) {
    for (size_t i = 0; i < ck_endpoint_count; i++) {
      push_endpoint(L, &ck_endpoints[i]);
      lua_pushstring(L, ck_endpoints[i].name);
      lua_pushvalue(L, -2);
      lua_rawset(L, data);
      lua_rawseti(L, data, (lua_Integer)i + 1);
    }
  }
  lua_pop(L, 1);
}

static int all_index(lua_State *L) {
  fill(L, lua_upvalueindex(1));
  return frozen_index(L);
}

static int all_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ck_endpoint_count);
  return 1;
}

static int all_pairs(lua_State *L) {
  fill(L, lua_upvalueindex(1));
  return frozen_pairs(L);
}

void ck_endpoints_push(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__index", all_index },
                                          { "__len", all_len },
                                          { "__pairs", all_pairs },
                                          { "__newindex", refuse_write },
                                          { NULL, NULL } };
  lua_newtable(L);
  freeze_as(L, metamethods);
}
