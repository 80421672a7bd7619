/* Guesses which known word a mistyped one was meant to be. */
#ifndef CK_NEAREST_H
#define CK_NEAREST_H

#include <stddef.h>

/* The number of single-byte edits from `word` to `known`; large where they are far apart. */
size_t ck_nearest_distance(const char *word, const char *known);

struct ck_nearest {
  const char *word;
  const char *known; /* the best so far, NULL if none is near enough to suggest */
  size_t distance;
};

/* Begin with { .word = … }, offer every known word, then look at `known`. */
void ck_nearest_offer(struct ck_nearest *nearest, const char *known);

#endif
