/*
** The key, and keeping it out of everything that Lua sees.
*/
#ifndef CK_SECRET_H
#define CK_SECRET_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct ck_secret {
  char *text; /* owned */
  size_t length;
  bool plain; /* nobody has cause to write it in another way, as it is with most keys */
};

/* False: out of memory. */
bool ck_secret_set(struct ck_secret *secret, const char *text);

/* Overwrites it before the memory goes back. */
void ck_secret_wipe(struct ck_secret *secret);

/*
** Whether the key stands anywhere in the bytes: as it is or, if it has characters that call for it,
** percent-encoded or in JSON's escapes.
*/
bool ck_secret_is_in(const struct ck_secret *secret, const char *text, size_t length);

/*
** Pushes the bytes as a string, with "[redacted]" wherever the key stood. A key of less
** than six characters, as in tests, is left: it would be found in too many words.
*/
void ck_secret_push(lua_State *L, const struct ck_secret *secret, const char *text, size_t length);

#endif
