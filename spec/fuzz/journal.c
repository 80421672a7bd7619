/* Fuzzes journals, in a file in memory. journal.lua is the oracle. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static int fd;

static lua_State *open_all(void) {
  fd = memfd_create("journal", 0);
  if (fd < 0) fuzz_fail("memfd_create failed");
  return fuzz_open("journal", true);
}

static void write_file(const uint8_t *data, size_t size) {
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
    fuzz_fail("the file in memory is not writable");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL) L = open_all();
  write_file(data, size);
  lua_pushfstring(L, "/proc/self/fd/%d", fd);
  lua_pushlstring(L, (const char *)data, size);
  fuzz_judge(L, 2);
  return 0;
}
