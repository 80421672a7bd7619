/* Journals: see journal.lua for what is promised. The file is one in memory. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static int fd;

static lua_State *open_all(void) {
  fd = memfd_create("journal", 0);
  if (fd < 0) fuzz_fail("no file in memory is to be had");
  return fuzz_open("journal", true);
}

static void write_file(const uint8_t *data, size_t size) {
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
    fuzz_fail("the file in memory cannot be written");
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
