/*
** The options of a client and of a call, and the check of every table of options.
*/
#ifndef CK_OPTIONS_H
#define CK_OPTIONS_H

#include <lua.h>
#include <stdbool.h>

#include "contract/contract.h"
#include "problems.h"

/* The values of the options. Durations are in seconds. */
struct ck_settings {
  double timeout, connect_timeout, deadline;
  double backoff_base, backoff_cap;
  lua_Integer max_attempts;
  lua_Integer max_response_bytes;
  lua_Integer max_evaluations; /* -1 = no limit */
  lua_Integer spend_limit;     /* likewise */
  lua_Integer evaluations;     /* that the caller of a call states; -1 = not stated */
  bool keep_null, allow_http, retry_unknown, dry_run, uncounted;
  bool event_bodies;
  bool on_event; /* whether the table has the function */
  /* Borrowed from the caller's table or the environment: copy them before returning to Lua. */
  const char *api_key, *api_url, *ca_file, *ca_path, *proxy, *user_agent;
};

/*
** Returns an environment variable, or NULL if it is unset or empty. Borrowed from the environment.
*/
const char *ck_options_environment(const char *name);

/* Returns the defaults, with the values of the environment variables. */
struct ck_settings ck_options_defaults(void);

/*
** Reads the table at `index`, if there is one, into `settings`; options that it lacks stay as they
** are. Adds a problem for each option that is unknown, misplaced or does not fit. `endpoint` is
** that of the call, or NULL for a client; a call's problems have the path `options.NAME`.
*/
void ck_options_read(struct ck_settings *settings, int index, const struct ck_endpoint *endpoint,
                     struct ck_problems *problems);

/* Returns a message if an option has the name, which is misplaced among arguments; or NULL. */
const char *ck_options_misplaced(const char *name);

/*
** Checks the table at `given` against rows that are written in Lua, a list of
**
**   { name, type, low, top, wanted = text }  bounds of a number and text are optional
**   { name, test, wanted = text }            test(value) returns whether the value fits
**
** The type is "any", "seconds", "number", "integer", "boolean", "string", "function" or "table";
** the text says what a value must be. Adds a problem for each value that does not fit and each
** unknown name, which is called `what` ("option", "field"). The paths are below `up`, which may be
** NULL.
*/
void ck_options_check_rows(int given, int rows, const char *what, const struct ck_path *up,
                           struct ck_problems *problems);

/*
** Replaces the table at `index`, and the headers in it, by copies. Finalizers, which may run when
** Lua allocates, cannot change the copies between two reads.
*/
void ck_options_copy(lua_State *L, int index);

/* Adds the fields of the table at `from` to the table at `to`. */
void ck_options_add_fields(lua_State *L, int from, int to);

#endif
