/*
** The key, and keeping it out of everything that Lua sees. A key of less than six characters, as
** in tests, is not looked for: it would be found in too many words.
*/
#ifndef CK_SECRET_H
#define CK_SECRET_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct ck_secret {
  char *text; /* owned by the client; borrowed while its options are checked */
  size_t length;
};

/* Copies the key. False: out of memory. */
bool ck_secret_set(struct ck_secret *secret, const char *text);

/* Overwrites the key before its memory is freed. */
void ck_secret_wipe(struct ck_secret *secret);

/*
** Overwrites the key with asterisks wherever a server's bytes have it; a key of digits alone with
** other digits. `is_cut`: the bytes may end in the middle of the key, whose beginning is
** overwritten as well then.
*/
void ck_secret_hide(const struct ck_secret *secret, char *text, size_t length, bool is_cut);

/* Pushes a caller's bytes as a string, with "[redacted]" in the place of the key. */
void ck_secret_push(lua_State *L, const struct ck_secret *secret, const char *text, size_t length);

#endif
