/*
** Fuzzes Retry-After: the wait is within bounds, and does not depend on the clock if the response
** has a Date.
*/
#include "policy/retry_after.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static const char before[] = "HTTP/1.1 429 x\r\nRetry-After: ";
static const char dated[] = "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

static double check(const char *head, size_t length, time_t now) {
  double wait = ck_retry_after(head, length, now);
  if (!(wait < 0 || (wait >= 0 && wait <= CK_RETRY_AFTER_MOST))) fuzz_fail("out of bounds");
  return wait;
}

/* Checks the bytes as the value of a Retry-After in front of a Date. */
static void check_value(const uint8_t *data, size_t size) {
  size_t start = sizeof(before) - 1, length = start + size + sizeof(dated) - 1;
  char *head = malloc(length);
  if (head == NULL) return;
  memcpy(head, before, start);
  if (size > 0) memcpy(head + start, data, size);
  memcpy(head + start + size, dated, sizeof(dated) - 1);
  double one = check(head, length, 0), other = check(head, length, 2000000000);
  if (one != other) fuzz_fail("the wait depends on the local clock although there is a Date");
  free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  (void)check((const char *)data, size, 1700000000);
  bool is_line = size == 0 || memchr(data, '\n', size) == NULL;
  if (is_line) check_value(data, size);
  return 0;
}
