/*
** The options of a client and of a call: one row each, one function that reads them.
*/
#ifndef CK_OPTIONS_H
#define CK_OPTIONS_H

#include <lua.h>
#include <stdbool.h>

#include "../core/contract.h"
#include "problems.h"

/* What the options amount to. Durations are in seconds. */
struct ck_settings {
  double timeout, connect_timeout, deadline;
  double backoff_base, backoff_cap;
  lua_Integer max_attempts;
  lua_Integer max_response_bytes;
  lua_Integer max_evaluations; /* -1 = no limit */
  lua_Integer evaluations;     /* of a call, as its caller states them; -1 = not stated */
  bool keep_null, allow_http, retry_unknown, dry_run, uncounted;
  bool event_bodies;
  bool on_event; /* whether there is one: it stays in the table */
  /* Borrowed from the caller's table or the environment: copy before returning to Lua. */
  const char *api_key, *api_url, *ca_file, *ca_path, *proxy, *user_agent;
};

/* Returns a variable of the environment, NULL if it is unset or empty. */
const char *ck_options_environment(const char *name);

/* The defaults, and what the environment says. */
struct ck_settings ck_options_defaults(void);

/*
** Reads the table at `index` over `settings`, if there is one there; what it does not name
** stays as it is. Every option that is unknown, out of place or out of range is a problem
** at the path `options.NAME` of a call of the endpoint, or at NAME of a client: NULL.
*/
void ck_options_read(struct ck_settings *settings, int index, const struct ck_endpoint *endpoint,
                     struct ck_problems *problems);

/* Returns what is wrong with the name among the arguments if it is an option's, else NULL. */
const char *ck_options_misplaced(const char *name);

/*
** Checks the table at `given` against rows that are written in Lua, a list of
**
**   { name, type, low, top, wanted = text }    the bounds of a number and the text may be left out
**   { name, test, wanted = text }              test(value) returns whether the value fits
**
** where the type is "any", "seconds", "number", "integer", "boolean", "string", "function" or
** "table", and the text says what a value must be. Adds a problem for each value that does not fit
** and for each unknown name, of `what` ("option", "field"), below the path `up` (NULL: none).
*/
void ck_options_check_rows(int given, int rows, const char *what, const struct ck_path *up,
                           struct ck_problems *problems);

/*
** Replaces the table at `index` by a copy, and the headers in it as well. It is read more than once:
** what a finalizer does to the caller's tables in between, which may run wherever Lua asks for
** memory, changes nothing.
*/
void ck_options_copy(lua_State *L, int index);

/* Adds the fields of one table to another. */
void ck_options_add_fields(lua_State *L, int from, int to);

#endif
