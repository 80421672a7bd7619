/*
** The key of a client, and its redaction. A key of fewer than six characters is not redacted.
*/
#ifndef CK_SECRET_H
#define CK_SECRET_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct ck_secret {
  char *text; /* owned, or borrowed while the options of a client are checked; NULL = none */
  size_t length;
};

/* Copies the key. Returns false if there is no memory. */
bool ck_secret_set(struct ck_secret *secret, const char *text);

/* Overwrites the key and frees its memory. */
void ck_secret_wipe(struct ck_secret *secret);

/*
** Overwrites the key in a response with asterisks, or a key of digits with other digits. If the
** text was cut, it may end within the key: then a beginning of the key at the end of the text is
** overwritten, too.
*/
void ck_secret_hide(const struct ck_secret *secret, char *text, size_t length, bool is_cut);

/* Pushes a copy of a caller's text as a string, with "[redacted]" in place of the key. */
void ck_secret_push(lua_State *L, const struct ck_secret *secret, const char *text, size_t length);

#endif
