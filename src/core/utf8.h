#ifndef CK_UTF8_H
#define CK_UTF8_H

#include <stddef.h>

/*
** How many of the bytes are whole, valid UTF-8 (RFC 3629: no overlong forms, no
** surrogates, nothing above U+10FFFF). All are valid when this is `length`.
*/
size_t ck_utf8_valid(const char *text, size_t length);

/*
** How many of the bytes, of which the first is not valid, one U+FFFD replaces: the longest
** beginning of a character, or one byte.
*/
size_t ck_utf8_broken(const char *text, size_t length);

/* The length of the text cut to at most `most` bytes, but not within a character. */
size_t ck_utf8_cut(const char *text, size_t length, size_t most);

#endif
