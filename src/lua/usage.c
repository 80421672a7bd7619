/* Misuse of a method: the messages show what the call should look like. */
#include "usage.h"

#include <lauxlib.h>
#include <string.h>

#include "resource.h"

enum { RESOURCE = 1, ARGUMENTS, OPTIONS };

void ck_usage_check_tables(lua_State *L, const char *name) {
  if (!lua_istable(L, ARGUMENTS))
    luaL_error(L, "%s takes a table of arguments, got %s", name, luaL_typename(L, ARGUMENTS));
  if (!lua_isnil(L, OPTIONS) && !lua_istable(L, OPTIONS))
    luaL_error(L, "%s takes a table of options, got %s", name, luaL_typename(L, OPTIONS));
}

/* Returns the only required field; NULL if there is none, or more than one. */
static const struct ck_field *only_required(const struct ck_endpoint *endpoint) {
  const struct ck_field *found = NULL;
  for (size_t i = 0; i < endpoint->field_count; i++) {
    if (endpoint->fields[i].required && found != NULL) return NULL;
    if (endpoint->fields[i].required) found = &endpoint->fields[i];
  }
  return found;
}

/*
** If the argument is an id, the message shows it in a table. A text that is not an id may be the
** key.
*/
static void check_bare_id(lua_State *L, const struct ck_endpoint *endpoint, const char *name) {
  const struct ck_field *field = only_required(endpoint);
  int type = lua_type(L, ARGUMENTS);
  if (field == NULL || (type != LUA_TNUMBER && type != LUA_TSTRING)) return;
  const char *text = luaL_tolstring(L, ARGUMENTS, NULL), *quote = type == LUA_TSTRING ? "\"" : "";
  bool is_id = strspn(text, "0123456789") == lua_rawlen(L, -1) && strlen(text) <= 20;
  bool is_list = ck_type_items(field->type) != NULL;
  luaL_error(L, "%s takes a table of arguments, got %s: %s { %s = %s%s%s%s%s }", name,
             luaL_typename(L, ARGUMENTS), name, field->name, is_list ? "{ " : "", quote,
             is_id ? text : "…", quote, is_list ? " }" : "");
}

void ck_usage_check(lua_State *L, const struct ck_endpoint *endpoint, int metatable) {
  if (!ck_resource_is(L, RESOURCE, metatable))
    luaL_error(L, "call it with a colon: %s:%s{ … }", endpoint->resource, endpoint->call);
  if (lua_istable(L, ARGUMENTS) && (lua_isnil(L, OPTIONS) || lua_istable(L, OPTIONS))) return;
  const char *name = lua_pushfstring(L, "%s:%s", endpoint->resource, endpoint->call);
  check_bare_id(L, endpoint, name);
  ck_usage_check_tables(L, name);
  lua_pop(L, 1);
}
