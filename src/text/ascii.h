/*
** Comparisons that ignore the case of ASCII letters. The functions of <ctype.h> and <strings.h>
** depend on the locale, in which "I" and "i" may be different letters.
*/
#ifndef CK_ASCII_H
#define CK_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline char ck_ascii_lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }

/* Returns whether the text begins with the word. */
static inline bool ck_ascii_begins(const char *text, const char *word) {
  while (*word != '\0' && ck_ascii_lower(*text) == ck_ascii_lower(*word)) text++, word++;
  return *word == '\0';
}

/* Returns whether the two strings are equal, apart from the case of letters. */
static inline bool ck_ascii_equal(const char *one, const char *other) {
  while (*one != '\0' && ck_ascii_lower(*one) == ck_ascii_lower(*other)) one++, other++;
  return *one == *other;
}

/* Returns whether the text, which need not end with a NUL, is the word. */
static inline bool ck_ascii_is(const char *text, size_t length, const char *word) {
  if (length != strlen(word)) return false; /* nearly always */
  for (size_t i = 0; i < length; i++)
    if (ck_ascii_lower(text[i]) != ck_ascii_lower(word[i])) return false;
  return true;
}

#endif
