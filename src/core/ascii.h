/*
** The letters of HTTP's names and keywords, of URLs and of numbers are ASCII: unlike <ctype.h> and
** <strings.h>, nothing here asks the locale, in which "I" and "i" may be two letters.
*/
#ifndef CK_ASCII_H
#define CK_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline char ck_ascii_lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }

/* Whether the text begins with the word, in any case of letters. */
static inline bool ck_ascii_begins(const char *text, const char *word) {
  while (*word != '\0' && ck_ascii_lower(*text) == ck_ascii_lower(*word)) text++, word++;
  return *word == '\0';
}

/* Whether the two are the same, in any case of letters. */
static inline bool ck_ascii_equal(const char *one, const char *other) {
  while (*one != '\0' && ck_ascii_lower(*one) == ck_ascii_lower(*other)) one++, other++;
  return *one == *other;
}

/* The same of a text that need not end with a NUL. */
static inline bool ck_ascii_is(const char *text, size_t length, const char *word) {
  if (length != strlen(word)) return false; /* nearly always */
  for (size_t i = 0; i < length; i++)
    if (ck_ascii_lower(text[i]) != ck_ascii_lower(word[i])) return false;
  return true;
}

#endif
