/*
** A client: its settings, its key, its connections. And the resources that hang on it.
*/
#ifndef CK_CLIENT_H
#define CK_CLIENT_H

#include <lua.h>

#include "../core/transport.h"
#include "log.h"
#include "options.h"
#include "secret.h"
#include "task.h"

struct ck_client {
  struct ck_transport *transport; /* owned; NULL once closed */
  struct ck_settings settings;    /* without the borrowed strings */
  struct ck_secret key;
  enum ck_log_level log;
  struct ck_loop loop;            /* its tasks */
  struct ck_interrupt *interrupt; /* the state's */
};

/* The user values of a client. */
enum {
  CK_CLIENT_RESOURCES = 1, /* { runs = …, results = …, api_url = … } */
  CK_CLIENT_IDLE,          /* handles of finished calls whose slots can be used again */
  CK_CLIENT_HEADERS,       /* { name = value }: the user agent, and the headers option's */
  CK_CLIENT_ON_EVENT,      /* a function, or nil */
  CK_CLIENT_TASKS,         /* { address = task }: those that have not ended */
  CK_CLIENT_CALLS,         /* { address = call }: those that have not been finalized */
  CK_CLIENT_VALUES = CK_CLIENT_CALLS
};

/* Makes the metatables of clients and resources. */
void ck_client_open(lua_State *L);

/* Whether it was made before a fork, and this is the child. Not of one that is closed. */
bool ck_client_is_parents(const struct ck_client *client);

/* cekura.new(options) */
int ck_client_new(lua_State *L);

/* Pushes the URL in the form that client.api_url has: see ck_url_normalise. */
void ck_client_push_normal_url(lua_State *L, const char *url, size_t length);

/* Pushes a table of the default client's resources, by name. No client is made yet. */
void ck_client_push_default_resources(lua_State *L);

/* Pushes the table of methods that all clients have. */
void ck_client_push_methods(lua_State *L);

/* Pushes a new table of the tables of methods that resources have, by the resource's name. */
void ck_client_push_resource_methods(lua_State *L);

/* Whether a value is a resource with that metatable; a table may have it, too. */
bool ck_client_is_resource(lua_State *L, int index, int metatable);

/* Raises unless the value at stack index 1 is that resource; `method` is what was called on it. */
void ck_client_check_resource(lua_State *L, const char *resource, const char *method);

/*
** The client at stack index 1; anything else raises. NULL, with nil and an error pushed: it
** is closed, or it belongs to another process.
*/
struct ck_client *ck_client_check(lua_State *L);

/*
** Pushes the default client, which is made now if there is none. False: nil and an error are
** pushed instead.
*/
bool ck_client_push_default(lua_State *L);

/*
** Pushes the client that the resource at stack index 1 belongs to; the default client is
** made now if there is none. NULL, with nil and an error pushed: there is none, it is
** closed, or it belongs to another process.
*/
struct ck_client *ck_client_of_resource(lua_State *L);

#endif
