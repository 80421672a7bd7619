/* Valid UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef CK_UTF8_H
#define CK_UTF8_H

#include <stddef.h>

/* Returns the length of the longest valid beginning: `length` if all of the text is valid. */
size_t ck_utf8_valid(const char *text, size_t length);

/*
** Returns how many bytes one U+FFFD replaces in a text that begins with an invalid byte: the
** longest beginning of a character, or one byte.
*/
size_t ck_utf8_broken(const char *text, size_t length);

/* Returns the length of the text cut to at most `most` bytes, but not within a character. */
size_t ck_utf8_cut(const char *text, size_t length, size_t most);

#endif
