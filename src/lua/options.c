#include "options.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../core/ascii.h"
#include "../core/nearest.h"
#include "raw_request.h"
#include "request_headers.h"

enum ck_scope { CK_SCOPE_CLIENT = 1, CK_SCOPE_CALL = 2 };

enum type { SECONDS, COUNT, BOOLEAN, TEXT, HEADERS, BACKOFF, FUNCTION };

struct option {
  const char *name;
  enum type type;
  unsigned scopes;
  size_t offset;   /* in struct ck_settings; of no meaning for HEADERS and BACKOFF */
  double low, top; /* of a number, both included */
};

#define AT(member) offsetof(struct ck_settings, member)
#define A_DAY      86400.0
#define ANY_COUNT  9007199254740992.0

static const struct option options[] = {
  { "api_key", TEXT, CK_SCOPE_CLIENT, AT(api_key), 0, 0 },
  { "api_url", TEXT, CK_SCOPE_CLIENT, AT(api_url), 0, 0 },
  { "timeout", SECONDS, CK_SCOPE_CLIENT | CK_SCOPE_CALL, AT(timeout), 0.001, A_DAY },
  { "connect_timeout", SECONDS, CK_SCOPE_CLIENT, AT(connect_timeout), 0.001, A_DAY },
  { "deadline", SECONDS, CK_SCOPE_CLIENT | CK_SCOPE_CALL, AT(deadline), 0.001, A_DAY },
  { "max_attempts", COUNT, CK_SCOPE_CLIENT | CK_SCOPE_CALL, AT(max_attempts), 1, 100 },
  { "backoff", BACKOFF, CK_SCOPE_CLIENT, 0, 0, 0 },
  { "max_response_bytes", COUNT, CK_SCOPE_CLIENT, AT(max_response_bytes), 1, ANY_COUNT },
  { "max_evaluations", COUNT, CK_SCOPE_CLIENT | CK_SCOPE_CALL, AT(max_evaluations), 0, ANY_COUNT },
  { "keep_null", BOOLEAN, CK_SCOPE_CLIENT, AT(keep_null), 0, 0 },
  { "allow_http", BOOLEAN, CK_SCOPE_CLIENT, AT(allow_http), 0, 0 },
  { "ca_file", TEXT, CK_SCOPE_CLIENT, AT(ca_file), 0, 0 },
  { "ca_path", TEXT, CK_SCOPE_CLIENT, AT(ca_path), 0, 0 },
  { "proxy", TEXT, CK_SCOPE_CLIENT, AT(proxy), 0, 0 },
  { "user_agent", TEXT, CK_SCOPE_CLIENT, AT(user_agent), 0, 0 },
  { "headers", HEADERS, CK_SCOPE_CLIENT | CK_SCOPE_CALL, 0, 0, 0 },
  { "on_event", FUNCTION, CK_SCOPE_CLIENT, AT(on_event), 0, 0 },
  { "event_bodies", BOOLEAN, CK_SCOPE_CLIENT, AT(event_bodies), 0, 0 },
  { "retry_unknown", BOOLEAN, CK_SCOPE_CALL, AT(retry_unknown), 0, 0 },
  { "dry_run", BOOLEAN, CK_SCOPE_CALL, AT(dry_run), 0, 0 },
  { "evaluations", COUNT, CK_SCOPE_CALL, AT(evaluations), 0, ANY_COUNT },
  { "uncounted", BOOLEAN, CK_SCOPE_CALL, AT(uncounted), 0, 0 },
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
    .evaluations = -1,
    .api_key = ck_options_environment("CEKURA_API_KEY"),
    .ca_file = ck_options_environment("CEKURA_CA_FILE"),
    .api_url = url != NULL ? url : "https://api.cekura.ai",
  };
}

/* ---- one option, its value on the top of the stack ------------------------------------ */

struct reader {
  struct ck_settings *settings;
  struct ck_problems *problems;
  const struct option *option;
  struct ck_path path;
};

static void *place(const struct reader *reader) {
  return (char *)reader->settings + reader->option->offset;
}

static bool is_in_range(const struct reader *reader, lua_Number value) {
  return value >= reader->option->low && value <= reader->option->top; /* false for NaN */
}

static void read_seconds(struct reader *reader) {
  lua_State *L = reader->problems->L;
  if (lua_type(L, -1) == LUA_TNUMBER && is_in_range(reader, lua_tonumber(L, -1)))
    *(double *)place(reader) = lua_tonumber(L, -1);
  else
    ck_problems_refuse(reader->problems, &reader->path,
                       reader->option->low > 0 ? "a number of seconds from 0.001 to 86400"
                                               : "a number of seconds from 0 to 86400");
}

static void read_count(struct reader *reader) {
  lua_State *L = reader->problems->L;
  int whole;
  lua_Integer value = lua_tointegerx(L, -1, &whole);
  if (lua_type(L, -1) == LUA_TNUMBER && whole && is_in_range(reader, (lua_Number)value)) {
    *(lua_Integer *)place(reader) = value;
    return;
  }
  const char *from = lua_pushfstring(L, "a whole number from %I", (LUAI_UACINT)reader->option->low);
  if (reader->option->top < ANY_COUNT)
    from = lua_pushfstring(L, "%s to %I", from, (LUAI_UACINT)reader->option->top);
  lua_pushvalue(L, reader->option->top < ANY_COUNT ? -3 : -2); /* the value, to be described */
  ck_problems_refuse(reader->problems, &reader->path, from);
}

static void read_boolean(struct reader *reader) {
  lua_State *L = reader->problems->L;
  if (lua_isboolean(L, -1)) *(bool *)place(reader) = lua_toboolean(L, -1);
  else ck_problems_refuse(reader->problems, &reader->path, "true or false");
}

static void read_text(struct reader *reader) {
  lua_State *L = reader->problems->L;
  size_t length;
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (text == NULL)
    ck_problems_add(reader->problems, &reader->path, "must be a string, got %s",
                    luaL_typename(L, -1)); /* not its value: it may be the key */
  else if (strlen(text) != length)
    ck_problems_add(reader->problems, &reader->path, "must not contain a NUL byte");
  else *(const char **)place(reader) = text;
}

static void read_function(struct reader *reader) {
  if (lua_isfunction(reader->problems->L, -1)) *(bool *)place(reader) = true;
  else ck_problems_refuse(reader->problems, &reader->path, "a function");
}

/* The rows of the table in `backoff`. */
static const struct option backoff_options[] = {
  { "base", SECONDS, 0, AT(backoff_base), 0, A_DAY },
  { "cap", SECONDS, 0, AT(backoff_cap), 0, A_DAY },
};

/* Below the table: a key and its value, which is on the top of the stack. */
static void read_backoff_entry(struct reader *outer) {
  struct reader reader = *outer;
  lua_State *L = reader.problems->L;
  const char *name = ck_problems_name(L, -2, "");
  reader.path = (struct ck_path){ .up = &outer->path, .name = name };
  for (size_t i = 0; i < sizeof(backoff_options) / sizeof(backoff_options[0]); i++) {
    reader.option = &backoff_options[i];
    if (strcmp(name, reader.option->name) != 0) continue;
    read_seconds(&reader);
    return;
  }
  ck_problems_add(reader.problems, &outer->path, "has only the fields \"base\" and \"cap\"");
}

static void read_backoff(struct reader *reader) {
  lua_State *L = reader->problems->L;
  int table = lua_gettop(L);
  if (!lua_istable(L, table)) {
    ck_problems_refuse(reader->problems, &reader->path,
                       "a table { base = seconds, cap = seconds }");
    return;
  }
  for (lua_pushnil(L); lua_next(L, table); lua_settop(L, table + 1)) read_backoff_entry(reader);
}

static void read_option(struct reader *reader) {
  int top = lua_gettop(reader->problems->L);
  switch (reader->option->type) {
    case SECONDS: read_seconds(reader); break;
    case COUNT: read_count(reader); break;
    case BOOLEAN: read_boolean(reader); break;
    case TEXT: read_text(reader); break;
    case BACKOFF: read_backoff(reader); break;
    case FUNCTION: read_function(reader); break;
    case HEADERS: ck_request_headers_check(top, &reader->path, reader->problems); break;
  }
  lua_settop(reader->problems->L, top);
}

/* ---- the table --------------------------------------------------------------------------- */

static const struct option *find(const char *name) {
  for (int i = 0; i < OPTION_COUNT; i++)
    if (strcmp(options[i].name, name) == 0) return &options[i];
  return NULL;
}

/* The names that other clients have for the options, in lower case and without "_" and "-". */
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
  { "budget", "max_evaluations" },
  { "limit", "max_evaluations" },
  { "maxcost", "max_evaluations" },
  { "maxcredits", "max_evaluations" },
  { "insecure", "allow_http" },
  { "dry", "dry_run" },
  { "simulate", "dry_run" },
};

enum { FOREIGN_COUNT = sizeof(foreign_names) / sizeof(foreign_names[0]) };

static bool is_spelt(const char *name, const char *foreign) {
  for (; *name != '\0'; name++) {
    if (*name == '_' || *name == '-') continue;
    if (ck_ascii_lower(*name) != *foreign) return false;
    foreign++;
  }
  return *foreign == '\0';
}

/* The option of the scope that was probably meant, or NULL. */
static const char *guess(const char *name, enum ck_scope scope) {
  for (int i = 0; i < FOREIGN_COUNT; i++) {
    const char *meant = foreign_names[i][1];
    if (is_spelt(name, foreign_names[i][0]) && (find(meant)->scopes & scope) != 0) return meant;
  }
  struct ck_nearest nearest = { .word = name };
  for (int i = 0; i < OPTION_COUNT; i++)
    if ((options[i].scopes & scope) != 0) ck_nearest_offer(&nearest, options[i].name);
  return nearest.known;
}

static bool is_argument(const struct ck_endpoint *endpoint, const char *name) {
  if (endpoint == NULL) return false;
  if (endpoint->field_count == 0) return ck_raw_request_is_field(name);
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

static void add_unknown(struct reader *reader, enum ck_scope scope,
                        const struct ck_endpoint *endpoint) {
  const char *name = reader->path.name;
  if (is_argument(endpoint, name))
    ck_problems_add(reader->problems, &reader->path,
                    "is an argument: it belongs in the first table");
  else ck_problems_add_unknown(reader->problems, &reader->path, "option", guess(name, scope));
}

static void read_entry(struct reader *reader, enum ck_scope scope,
                       const struct ck_endpoint *endpoint) {
  reader->option = find(reader->path.name);
  if (reader->option == NULL) add_unknown(reader, scope, endpoint);
  else if ((reader->option->scopes & scope) == 0)
    ck_problems_add(reader->problems, &reader->path, "is an option of %s",
                    scope == CK_SCOPE_CALL ? "cekura.new, not of a single call"
                                           : "a single call, not of cekura.new");
  else read_option(reader);
}

void ck_options_read(struct ck_settings *settings, int index, const struct ck_endpoint *endpoint,
                     struct ck_problems *problems) {
  static const struct ck_path within = { .name = "options" };
  enum ck_scope scope = endpoint != NULL ? CK_SCOPE_CALL : CK_SCOPE_CLIENT;
  lua_State *L = problems->L;
  struct reader reader = { .settings = settings,
                           .problems = problems,
                           .path.up = endpoint != NULL ? &within : NULL };
  if (!lua_istable(L, index)) return;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    reader.path.name = ck_problems_name(L, -2, "(not a name)");
    read_entry(&reader, scope, endpoint);
  }
}

/* ---- a copy ------------------------------------------------------------------------------ */

void ck_options_add_fields(lua_State *L, int from, int to) {
  for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, to);
  }
}

/* Puts a copy in the place of the table at `index`. */
static void replace_by_copy(lua_State *L, int index) {
  lua_newtable(L);
  ck_options_add_fields(L, index, lua_gettop(L));
  lua_replace(L, index);
}

void ck_options_copy(lua_State *L, int index) {
  replace_by_copy(L, index);
  lua_pushliteral(L, "headers");
  lua_pushvalue(L, -1);
  if (lua_rawget(L, index) == LUA_TTABLE) {
    replace_by_copy(L, lua_gettop(L));
    lua_rawset(L, index);
  }
  lua_settop(L, index);
}
