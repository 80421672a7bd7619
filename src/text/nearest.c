/*
** Guesses which known word was meant, by Levenshtein's distance.
*/
#include "nearest.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 63 }; /* longer than any known word */

static size_t least(size_t a, size_t b, size_t c) {
  size_t ab = a < b ? a : b;
  return ab < c ? ab : c;
}

/*
** Fills the table of distances between all prefixes of the two words, of which it stores one row.
*/
size_t ck_nearest_distance(const char *word, const char *known) {
  size_t width = strlen(known);
  size_t row[LONGEST + 1];
  if (width > LONGEST || strlen(word) > LONGEST) return SIZE_MAX;
  for (size_t k = 0; k <= width; k++) row[k] = k;
  for (size_t w = 0; word[w] != '\0'; w++) {
    size_t diagonal = row[0];
    row[0] = w + 1;
    for (size_t k = 0; k < width; k++) {
      size_t above = row[k + 1];
      row[k + 1] = least(above + 1, row[k] + 1, diagonal + (word[w] != known[k]));
      diagonal = above;
    }
  }
  return row[width];
}

void ck_nearest_offer(struct ck_nearest *nearest, const char *known) {
  size_t distance = ck_nearest_distance(nearest->word, known);
  if (distance > 1 + strlen(known) / 4) return; /* a worse guess confuses */
  if (nearest->known != NULL && distance >= nearest->distance) return;
  nearest->known = known;
  nearest->distance = distance;
}
