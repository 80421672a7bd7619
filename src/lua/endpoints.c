/*
** cekura.endpoints: one table per row of the contract, one table per field. Its first use fills it.
** The names of the members are those of cekura.Endpoint and cekura.Field in lua/cekura/types.lua.
*/
#include "endpoints.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "contract/contract.h"

/* Sets a string field; NULL sets nothing. */
static void set_string(lua_State *L, const char *name, const char *value) {
  if (value == NULL) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

static void set_boolean(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

/* Sets an integer field; 0 sets nothing. */
static void set_count(lua_State *L, const char *name, unsigned value) {
  if (value == 0) return;
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* Appends the string to the list name of the table on the top; the first one makes the list. */
static void append(lua_State *L, const char *name, const char *value) {
  luaL_getsubtable(L, -1, name);
  lua_pushstring(L, value);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

static void push_field(lua_State *L, const struct ck_field *field);

/* Sets `fields` to the list of the fields. */
static void set_fields(lua_State *L, const struct ck_field *fields, size_t count) {
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_field(L, &fields[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "fields");
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
  set_count(L, "max_length", field->max_length);
  set_count(L, "min_items", field->min_items);
  set_count(L, "max_items", field->max_items);
  for (int i = 0; field->values != NULL && field->values[i] != NULL; i++)
    append(L, "enum", field->values[i]);
  if (field->fields != NULL) set_fields(L, field->fields, field->field_count);
  set_string(L, "description", field->doc);
}

/* Sets `range`, if the endpoint has a range of times. */
static void set_range(lua_State *L, const struct ck_endpoint *endpoint) {
  if (endpoint->range_days == 0) return;
  lua_newtable(L);
  set_string(L, "from", endpoint->range_from);
  set_string(L, "to", endpoint->range_to);
  set_count(L, "days", endpoint->range_days);
  lua_setfield(L, -2, "range");
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
  set_range(L, endpoint);
  set_fields(L, endpoint->fields, endpoint->field_count);
  for (size_t i = 0; i < endpoint->field_count; i++) {
    const struct ck_field *field = &endpoint->fields[i];
    if (field->one_of) append(L, "one_of", field->name);
    if (field->counted) append(L, "evaluations", field->name);
  }
}

/* ---- the table, which is empty until one of its metamethods is called ------------------------ */

/* Fills the table, which is the first argument, and removes its metatable. */
static void fill(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  for (size_t i = 0; i < ck_endpoint_count; i++) {
    push_endpoint(L, &ck_endpoints[i]);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, ck_endpoints[i].name);
    lua_rawseti(L, 1, (lua_Integer)i + 1);
  }
  lua_pushnil(L);
  lua_setmetatable(L, 1);
}

static int endpoints_index(lua_State *L) {
  fill(L);
  lua_settop(L, 2);
  lua_rawget(L, 1);
  return 1;
}

static int endpoints_len(lua_State *L) {
  fill(L);
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
  return 1;
}

static int endpoints_next(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  return lua_next(L, 1) ? 2 : 0;
}

static int endpoints_pairs(lua_State *L) {
  fill(L);
  lua_pushcfunction(L, endpoints_next);
  lua_pushvalue(L, 1);
  return 2;
}

void ck_endpoints_push(lua_State *L) {
  static const luaL_Reg metamethods[] = { { "__index", endpoints_index },
                                          { "__len", endpoints_len },
                                          { "__pairs", endpoints_pairs },
                                          { NULL, NULL } };
  lua_createtable(L, (int)ck_endpoint_count, (int)ck_endpoint_count);
  luaL_newlib(L, metamethods);
  lua_setmetatable(L, -2);
}
