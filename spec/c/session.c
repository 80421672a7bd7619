/*
** Shows libcurl's own faults, without the module, if there is no memory to store a TLS session.
**
**   session URL CA_FILE      fails each of libcurl's allocations in turn, and reports every block
**                            that it frees twice, or never
**   session URL CA_FILE N    fails the N-th only, with libc's own free, which may abort
**
** Each run makes two requests over connections of their own, so that sessions are stored and
** resumed.
**
** libcurl 7.88.1 frees the host's name twice, in lib/vtls/vtls.c: Curl_ssl_addsessionid puts it
** into the cache, fails to copy the connection's settings (Curl_clone_primary_ssl_config), frees
** it, and leaves the pointer in the cache, where the next session frees it again.
*/
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUESTS = 2 };

static const long MAX_MS = 5000;

/*
** Precedes the bytes of a block, whose memory outlives its free, so that a second one is detected.
*/
struct block {
  struct block *next;
  size_t size;
  int frees;
  max_align_t bytes[];
};

static struct {
  struct block *blocks;
  bool watched;      /* false = libc's own free is used */
  long count, fails; /* allocations of this run; which of them fails */
  char what[80];     /* its description */
} memory;

/* ---- libcurl's allocators -------------------------------------------------------------------- */

static struct block *block_of(void *bytes) {
  return (struct block *)(void *)((char *)bytes - offsetof(struct block, bytes));
}

static bool fails(const char *how, const char *text) {
  if (++memory.count != memory.fails) return false;
  (void)snprintf(memory.what, sizeof(memory.what), "%s %s", how, text);
  return true;
}

static void *new_block(size_t size) {
  if (!memory.watched) return calloc(1, size);
  struct block *block = calloc(1, sizeof(*block) + size);
  if (block == NULL) return NULL;
  block->size = size;
  block->next = memory.blocks;
  memory.blocks = block;
  return block->bytes;
}

static void *on_malloc(size_t size) { return fails("malloc", "") ? NULL : new_block(size); }

static void *on_calloc(size_t count, size_t size) {
  return fails("calloc", "") ? NULL : new_block(count * size);
}

static char *on_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = fails("strdup", text) ? NULL : new_block(size);
  return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static void on_free(void *bytes) {
  if (!memory.watched) free(bytes);
  else if (bytes != NULL) block_of(bytes)->frees++;
}

static void *on_realloc(void *bytes, size_t size) {
  if (fails("realloc", "")) return NULL;
  if (!memory.watched) return realloc(bytes, size);
  char *moved = new_block(size);
  if (moved == NULL || bytes == NULL) return moved;
  size_t before = block_of(bytes)->size;
  memcpy(moved, bytes, before < size ? before : size);
  on_free(bytes);
  return moved;
}

/* ---- one run --------------------------------------------------------------------------------- */

static size_t ignore(char *bytes, size_t unit, size_t length, void *user) {
  (void)bytes, (void)unit, (void)user;
  return length;
}

/* Errors are ignored: only the memory counts. */
static void request(const char *url, const char *ca_file) {
  CURL *easy = curl_easy_init();
  if (easy == NULL) return;
  (void)curl_easy_setopt(easy, CURLOPT_URL, url);
  (void)curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
  (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
  (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, MAX_MS);
  (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  for (int i = 0; i < REQUESTS; i++) (void)curl_easy_perform(easy);
  curl_easy_cleanup(easy);
}

static void report(const struct block *block) {
  if (block->frees == 1) return;
  printf("%ld (%s): freed %d times: %zu bytes, \"%.40s\"\n", memory.fails, memory.what,
         block->frees, block->size, (const char *)block->bytes);
}

/* Returns whether the allocation that is to fail was reached. */
static bool run(long n, char **words) {
  memory.count = 0;
  memory.fails = n;
  request(words[1], words[2]);
  for (struct block *block = memory.blocks, *next; block != NULL; block = next) {
    next = block->next;
    report(block);
    free(block);
  }
  memory.blocks = NULL;
  return memory.count >= n;
}

int main(int count, char **words) {
  if (count < 3) return 2;
  memory.watched = count == 3;
  if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, on_malloc, on_free, on_realloc, on_strdup,
                           on_calloc) != CURLE_OK)
    return 2;
  memory.blocks = NULL; /* of libcurl's global state */
  if (count > 3) return run(strtol(words[3], NULL, 10), words) ? 0 : 1;
  long n = 1;
  while (run(n, words)) n++;
  printf("%s: %ld allocations have failed\n", curl_version(), n - 1);
  return 0;
}
