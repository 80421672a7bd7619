/* Guesses which known word was meant by a mistyped one. */
#ifndef CK_NEAREST_H
#define CK_NEAREST_H

#include <stddef.h>

/*
** Returns the number of single-byte edits from `word` to `known`; SIZE_MAX if a word is very long.
*/
size_t ck_nearest_distance(const char *word, const char *known);

struct ck_nearest {
  const char *word;
  const char *known; /* borrowed: the best so far, NULL if none is near enough */
  size_t distance;
};

/* Compares one known word. Begin with { .word = … }, offer every word, then read `known`. */
void ck_nearest_offer(struct ck_nearest *nearest, const char *known);

#endif
