/*
** The options of a client and of a call: one row per option. One function checks a value against a
** row, also for the functions that are written in Lua and have options of their own.
*/
#include "options.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "headers.h"
#include "text/ascii.h"
#include "text/nearest.h"

enum ck_scope { CK_SCOPE_CLIENT = 1, CK_SCOPE_CALL = 2, BOTH = CK_SCOPE_CLIENT | CK_SCOPE_CALL };

enum type { ANY, SECONDS, NUMBER, INTEGER, BOOLEAN, STRING, FUNCTION, TABLE, HEADERS, BACKOFF };

#define NO_LIMIT    9007199254740992.0 /* 2^53: messages do not mention it */
#define ANY_INTEGER (NO_LIMIT * 1024)  /* 2^63, which is not an integer of Lua */
#define SHORTEST    0.001
#define A_DAY       86400.0

struct option {
  const char *name;
  enum type type;
  unsigned scopes;
  double low, top; /* of a number, both included */
  size_t offset;   /* in struct ck_settings; unused by HEADERS and BACKOFF */
};

#define AT(member) offsetof(struct ck_settings, member)

static const struct option options[] = {
  { "api_key", STRING, CK_SCOPE_CLIENT, 0, 0, AT(api_key) },
  { "api_url", STRING, CK_SCOPE_CLIENT, 0, 0, AT(api_url) },
  { "timeout", SECONDS, BOTH, SHORTEST, A_DAY, AT(timeout) },
  { "connect_timeout", SECONDS, CK_SCOPE_CLIENT, SHORTEST, A_DAY, AT(connect_timeout) },
  { "deadline", SECONDS, BOTH, SHORTEST, A_DAY, AT(deadline) },
  { "max_attempts", INTEGER, BOTH, 1, 100, AT(max_attempts) },
  { "backoff", BACKOFF, CK_SCOPE_CLIENT, 0, 0, 0 },
  { "max_response_bytes", INTEGER, CK_SCOPE_CLIENT, 1, NO_LIMIT, AT(max_response_bytes) },
  { "max_evaluations", INTEGER, BOTH, 0, ANY_INTEGER, AT(max_evaluations) },
  { "spend_limit", INTEGER, CK_SCOPE_CLIENT, 0, ANY_INTEGER, AT(spend_limit) },
  { "keep_null", BOOLEAN, CK_SCOPE_CLIENT, 0, 0, AT(keep_null) },
  { "allow_http", BOOLEAN, CK_SCOPE_CLIENT, 0, 0, AT(allow_http) },
  { "ca_file", STRING, CK_SCOPE_CLIENT, 0, 0, AT(ca_file) },
  { "ca_path", STRING, CK_SCOPE_CLIENT, 0, 0, AT(ca_path) },
  { "proxy", STRING, CK_SCOPE_CLIENT, 0, 0, AT(proxy) },
  { "user_agent", STRING, CK_SCOPE_CLIENT, 0, 0, AT(user_agent) },
  { "headers", HEADERS, BOTH, 0, 0, 0 },
  { "on_event", FUNCTION, CK_SCOPE_CLIENT, 0, 0, AT(on_event) },
  { "event_bodies", BOOLEAN, CK_SCOPE_CLIENT, 0, 0, AT(event_bodies) },
  { "retry_unknown", BOOLEAN, CK_SCOPE_CALL, 0, 0, AT(retry_unknown) },
  { "dry_run", BOOLEAN, CK_SCOPE_CALL, 0, 0, AT(dry_run) },
  { "evaluations", INTEGER, CK_SCOPE_CALL, 0, ANY_INTEGER, AT(evaluations) },
  { "uncounted", BOOLEAN, CK_SCOPE_CALL, 0, 0, AT(uncounted) },
};

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

const char *ck_options_environment(const char *name) {
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

struct ck_settings ck_options_defaults(void) {
  const char *url = ck_options_environment("CEKURA_API_URL");
  return (struct ck_settings){
    .timeout = 30,
    .connect_timeout = 10,
    .deadline = 120,
    .max_attempts = 4,
    .backoff_base = 0.5,
    .backoff_cap = 20,
    .max_response_bytes = 64 * 1024 * 1024,
    .max_evaluations = -1,
    .spend_limit = -1,
    .evaluations = -1,
    .api_key = ck_options_environment("CEKURA_API_KEY"),
    .ca_file = ck_options_environment("CEKURA_CA_FILE"),
    .api_url = url != NULL ? url : "https://api.cekura.ai",
  };
}

/* ---- one value, on the top of the stack ---------------------------------------------------- */

static bool is_text(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING &&
         strlen(lua_tostring(L, index)) == lua_rawlen(L, index);
}

static bool fits(lua_State *L, const struct option *row) {
  lua_Number number = lua_tonumber(L, -1);
  bool in_range = lua_type(L, -1) == LUA_TNUMBER && number >= row->low && number <= row->top;
  int is_whole;
  switch (row->type) {
    case SECONDS:
    case NUMBER: return in_range; /* false for NaN */
    case INTEGER: (void)lua_tointegerx(L, -1, &is_whole); return in_range && is_whole;
    case BOOLEAN: return lua_isboolean(L, -1);
    case STRING: return is_text(L, -1);
    case FUNCTION: return lua_isfunction(L, -1);
    case TABLE:
    case BACKOFF: return lua_istable(L, -1);
    case HEADERS:
    case ANY: break;
  }
  return true;
}

/* Pushes what a value of the row must be. */
static const char *push_wanted(lua_State *L, const struct option *row) {
  static const char *const words[] = {
    [NUMBER] = "a number",
    [INTEGER] = "a whole number",
    [STRING] = "a string",
    [BOOLEAN] = "true or false",
    [FUNCTION] = "a function",
    [TABLE] = "a table",
    [SECONDS] = "a number of seconds",
    [BACKOFF] = "a table { base = seconds, cap = seconds }",
  };
  const char *wanted = lua_pushstring(L, words[row->type]);
  if (row->type == SECONDS && row->low > 0)
    return lua_pushfstring(L, "%s from 0.001 to 86400", wanted);
  if (row->type != SECONDS && row->type != NUMBER && row->type != INTEGER) return wanted;
  if (row->low > -NO_LIMIT)
    wanted = lua_pushfstring(L, "%s from %I", wanted, (LUAI_UACINT)row->low);
  if (row->top < NO_LIMIT) wanted = lua_pushfstring(L, "%s to %I", wanted, (LUAI_UACINT)row->top);
  return wanted;
}

/* Adds the problem that the value must be `wanted`; NULL: what its type requires. */
static void refuse(const struct option *row, const char *wanted, const struct ck_path *path,
                   struct ck_problems *problems) {
  lua_State *L = problems->L;
  int value = lua_gettop(L);
  if (wanted == NULL) wanted = push_wanted(L, row);
  lua_pushvalue(L, value);
  ck_problems_refuse(problems, path, wanted);
  lua_settop(L, value);
}

/* Returns whether the value fits the row, and adds a problem if it does not. */
static bool check_value(const struct option *row, const struct ck_path *path,
                        struct ck_problems *problems) {
  lua_State *L = problems->L;
  if (row->type == HEADERS) ck_request_headers_check(lua_gettop(L), path, problems);
  if (fits(L, row)) return true;
  if (row->type != STRING) refuse(row, NULL, path, problems);
  else if (lua_type(L, -1) == LUA_TSTRING)
    ck_problems_add(problems, path, "must not contain a NUL byte");
  else /* not its value: it may be the key */
    ck_problems_add(problems, path, "must be a string, got %s", luaL_typename(L, -1));
  return false;
}

/* Stores a value that fits. */
static void store(lua_State *L, const struct option *row, struct ck_settings *settings) {
  void *to = (char *)settings + row->offset;
  switch (row->type) {
    case SECONDS: *(double *)to = lua_tonumber(L, -1); break;
    case INTEGER: *(lua_Integer *)to = lua_tointeger(L, -1); break;
    case BOOLEAN: *(bool *)to = lua_toboolean(L, -1); break;
    case STRING: *(const char **)to = lua_tostring(L, -1); break;
    case FUNCTION: *(bool *)to = true; break;
    default: break;
  }
}

/* The option backoff is a table with rows of its own. */
static void read_backoff(struct ck_settings *settings, const struct ck_path *path,
                         struct ck_problems *problems) {
  static const struct option rows[] = { { "base", SECONDS, 0, 0, A_DAY, AT(backoff_base) },
                                        { "cap", SECONDS, 0, 0, A_DAY, AT(backoff_cap) } };
  lua_State *L = problems->L;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    const char *name = ck_problems_name(L, -2, "");
    const struct ck_path inner = { .up = path, .name = name };
    const struct option *row = strcmp(name, "base") == 0 ? &rows[0] : &rows[1];
    if (strcmp(name, row->name) != 0)
      ck_problems_add(problems, path, "has only the fields \"base\" and \"cap\"");
    else if (check_value(row, &inner, problems)) store(L, row, settings);
  }
}

/* ---- the table of options ------------------------------------------------------------------ */

static const struct option *find(const char *name) {
  for (int i = 0; i < OPTION_COUNT; i++)
    if (strcmp(options[i].name, name) == 0) return &options[i];
  return NULL;
}

/* Names of options in other clients, in lower case and without "_" and "-". */
static const char *const foreign_names[][2] = {
  { "key", "api_key" },
  { "apitoken", "api_key" },
  { "token", "api_key" },
  { "accesstoken", "api_key" },
  { "auth", "api_key" },
  { "secret", "api_key" },
  { "url", "api_url" },
  { "uri", "api_url" },
  { "baseurl", "api_url" },
  { "apibase", "api_url" },
  { "host", "api_url" },
  { "endpoint", "api_url" },
  { "server", "api_url" },
  { "address", "api_url" },
  { "retries", "max_attempts" },
  { "retry", "max_attempts" },
  { "retrycount", "max_attempts" },
  { "maxretries", "max_attempts" },
  { "maxretry", "max_attempts" },
  { "maxtries", "max_attempts" },
  { "tries", "max_attempts" },
  { "attempts", "max_attempts" },
  { "timeoutms", "timeout" },
  { "timeoutseconds", "timeout" },
  { "requesttimeout", "timeout" },
  { "readtimeout", "timeout" },
  { "connectiontimeout", "connect_timeout" },
  { "connecttimeoutms", "connect_timeout" },
  { "totaltimeout", "deadline" },
  { "maxtime", "deadline" },
  { "maxelapsed", "deadline" },
  { "retrydelay", "backoff" },
  { "backofffactor", "backoff" },
  { "delay", "backoff" },
  { "ca", "ca_file" },
  { "cacert", "ca_file" },
  { "cabundle", "ca_file" },
  { "certificate", "ca_file" },
  { "verify", "ca_file" },
  { "capath", "ca_path" },
  { "agent", "user_agent" },
  { "httpproxy", "proxy" },
  { "httpsproxy", "proxy" },
  { "proxies", "proxy" },
  { "proxyurl", "proxy" },
  { "defaultheaders", "headers" },
  { "extraheaders", "headers" },
  { "callback", "on_event" },
  { "hook", "on_event" },
  { "hooks", "on_event" },
  { "listener", "on_event" },
  { "onretry", "on_event" },
  { "maxbytes", "max_response_bytes" },
  { "maxsize", "max_response_bytes" },
  { "budget", "spend_limit" },
  { "limit", "spend_limit" },
  { "maxcost", "spend_limit" },
  { "maxcredits", "spend_limit" },
  { "creditlimit", "spend_limit" },
  { "maxspend", "spend_limit" },
  { "budget", "max_evaluations" }, /* of a call */
  { "limit", "max_evaluations" },
  { "maxcost", "max_evaluations" },
  { "maxcredits", "max_evaluations" },
  { "insecure", "allow_http" },
  { "dry", "dry_run" },
  { "simulate", "dry_run" },
};

enum { FOREIGN_COUNT = sizeof(foreign_names) / sizeof(foreign_names[0]) };

static bool is_foreign_name(const char *name, const char *foreign) {
  for (; *name != '\0'; name++) {
    if (*name == '_' || *name == '-') continue;
    if (ck_ascii_lower(*name) != *foreign) return false;
    foreign++;
  }
  return *foreign == '\0';
}

/* Returns the option of the scope that was probably meant, or NULL. */
static const char *guess(const char *name, enum ck_scope scope) {
  for (int i = 0; i < FOREIGN_COUNT; i++) {
    const char *meant = foreign_names[i][1];
    if (is_foreign_name(name, foreign_names[i][0]) && (find(meant)->scopes & scope) != 0)
      return meant;
  }
  struct ck_nearest nearest = { .word = name };
  for (int i = 0; i < OPTION_COUNT; i++)
    if ((options[i].scopes & scope) != 0) ck_nearest_offer(&nearest, options[i].name);
  return nearest.known;
}

static bool is_argument(const struct ck_endpoint *endpoint, const char *name) {
  if (endpoint == NULL) return false;
  for (size_t i = 0; i < endpoint->field_count; i++)
    if (strcmp(endpoint->fields[i].name, name) == 0) return true;
  return false;
}

const char *ck_options_misplaced(const char *name) {
  const struct option *option = find(name);
  if (option == NULL) return NULL;
  return (option->scopes & CK_SCOPE_CALL) != 0
             ? "is an option: it belongs in the second table, after the arguments"
             : "is an option of cekura.new, not of a single call";
}

/* The value is on the top of the stack. `endpoint` is NULL for the options of a client. */
static void read_option(struct ck_settings *settings, const struct ck_path *path,
                        const struct ck_endpoint *endpoint, struct ck_problems *problems) {
  enum ck_scope scope = endpoint != NULL ? CK_SCOPE_CALL : CK_SCOPE_CLIENT;
  const struct option *row = find(path->name);
  if (row == NULL && is_argument(endpoint, path->name))
    ck_problems_add(problems, path, "is an argument: it belongs in the first table");
  else if (row == NULL) ck_problems_add_unknown(problems, path, "option", guess(path->name, scope));
  else if ((row->scopes & scope) == 0)
    ck_problems_add(problems, path, "is an option of %s",
                    scope == CK_SCOPE_CALL ? "cekura.new, not of a single call"
                                           : "a single call, not of cekura.new");
  else if (!check_value(row, path, problems)) return;
  else if (row->type == BACKOFF) read_backoff(settings, path, problems);
  else store(problems->L, row, settings);
}

void ck_options_read(struct ck_settings *settings, int index, const struct ck_endpoint *endpoint,
                     struct ck_problems *problems) {
  static const struct ck_path within = { .name = "options" };
  struct ck_path path = { .up = endpoint != NULL ? &within : NULL };
  lua_State *L = problems->L;
  if (!lua_istable(L, index)) return;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    path.name = ck_problems_name(L, -2, "(not a name)");
    read_option(settings, &path, endpoint, problems);
  }
}

/* ---- rows that are written in Lua ---------------------------------------------------------- */

static const char *const type_names[] = { "any",     "seconds", "number",   "integer",
                                          "boolean", "string",  "function", "table" };

static enum type find_type(lua_State *L, const char *name) {
  for (int type = ANY; type <= TABLE; type++)
    if (strcmp(type_names[type], name) == 0) return (enum type)type;
  return (enum type)luaL_error(L, "an option has no type \"%s\"", name);
}

/* The value is on the top of the stack. */
static void check_by_row(int row, const struct ck_path *path, struct ck_problems *problems) {
  lua_State *L = problems->L;
  struct option option = { .low = -NO_LIMIT, .top = NO_LIMIT };
  int value = lua_gettop(L);
  lua_getfield(L, row, "wanted");
  const char *wanted = lua_tostring(L, -1); /* anchored in the row */
  if (lua_rawgeti(L, row, 3) == LUA_TNUMBER) option.low = lua_tonumber(L, -1);
  if (lua_rawgeti(L, row, 4) == LUA_TNUMBER) option.top = lua_tonumber(L, -1);
  bool has_test = lua_rawgeti(L, row, 2) == LUA_TFUNCTION, ok = false;
  if (has_test) {
    lua_pushvalue(L, value);
    lua_call(L, 1, 1);
    ok = lua_toboolean(L, -1);
  } else {
    option.type = find_type(L, lua_tostring(L, -1));
    if (option.type == SECONDS) option.low = SHORTEST, option.top = A_DAY;
  }
  lua_settop(L, value);
  if (!has_test && wanted == NULL) (void)check_value(&option, path, problems);
  else if (!ok && (has_test || !fits(L, &option))) refuse(&option, wanted, path, problems);
}

/* Adds a problem unless a row has the name that the path ends with. */
static void check_known(int rows, const char *what, const struct ck_path *path,
                        struct ck_problems *problems) {
  lua_State *L = problems->L;
  struct ck_nearest nearest = { .word = path->name };
  int top = lua_gettop(L);
  for (lua_Integer i = 1; lua_rawgeti(L, rows, i) == LUA_TTABLE; i++) {
    lua_rawgeti(L, -1, 1);
    const char *known = lua_tostring(L, -1); /* anchored in the row */
    lua_settop(L, top);
    if (strcmp(known, path->name) == 0) return;
    ck_nearest_offer(&nearest, known);
  }
  lua_settop(L, top);
  ck_problems_add_unknown(problems, path, what, nearest.known);
}

void ck_options_check_rows(int given, int rows, const char *what, const struct ck_path *up,
                           struct ck_problems *problems) {
  lua_State *L = problems->L;
  int top = lua_gettop(L);
  struct ck_path path = { .up = up };
  for (lua_Integer i = 1; lua_rawgeti(L, rows, i) == LUA_TTABLE; i++, lua_settop(L, top)) {
    lua_rawgeti(L, top + 1, 1);
    path.name = lua_tostring(L, -1);
    if (lua_rawget(L, given) != LUA_TNIL) check_by_row(top + 1, &path, problems);
  }
  lua_settop(L, top);
  for (lua_pushnil(L); lua_next(L, given); lua_pop(L, 1)) {
    path.name = ck_problems_name(L, -2, "(not a name)");
    check_known(rows, what, &path, problems);
  }
}

/* ---- a copy -------------------------------------------------------------------------------- */

void ck_options_add_fields(lua_State *L, int from, int to) {
  for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, to);
  }
}

void ck_options_copy(lua_State *L, int index) {
  lua_newtable(L);
  int copy = lua_gettop(L);
  ck_options_add_fields(L, index, copy);
  lua_pushliteral(L, "headers");
  if (lua_rawget(L, copy) == LUA_TTABLE) {
    lua_newtable(L); /* copy, headers, their copy */
    ck_options_add_fields(L, copy + 1, copy + 2);
    lua_setfield(L, copy, "headers");
  }
  lua_settop(L, copy);
  lua_replace(L, index);
}
