/*
** libcurl's version, and its initialisation. Version 8 copies the text of a request more often than
** 7.88, and leaves the copies in the memory that it releases. This memory is overwritten, for 5 %
** more instructions a vote.
*/
#include "libcurl.h"

#include <stdlib.h>
#include <string.h>

#if defined(__APPLE__)
#include <malloc/malloc.h>
#define malloc_usable_size malloc_size
#elif defined(__FreeBSD__)
#include <malloc_np.h>
#else
#include <malloc.h>
#endif

#include "text/wipe.h"

enum { SHORT = 64 /* bytes; the beginning of a request with the key is longer */ };

bool ck_libcurl_is_8(void) { return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000; }

static void wipe_and_free(void *block) {
  size_t size = block == NULL ? 0 : malloc_usable_size(block);
  if (size >= SHORT) ck_wipe(block, size);
  free(block);
}

/* realloc() would not overwrite a block that it moves. */
static void *resize(void *block, size_t size) {
  size_t old = block == NULL ? 0 : malloc_usable_size(block);
  if (block != NULL && size <= old) return block;
  void *longer = malloc(size);
  if (longer == NULL) return NULL;
  if (old > 0) memcpy(longer, block, old);
  wipe_and_free(block);
  return longer;
}

CURLcode ck_libcurl_init(void) {
  if (!ck_libcurl_is_8()) return curl_global_init(CURL_GLOBAL_DEFAULT);
  return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, resize, strdup, calloc);
}
