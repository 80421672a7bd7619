/* Fuzzes the JSON writer with Lua values of any kind. writer.lua is the oracle. */
#include "value.h"

enum { VALUES = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  struct fuzz_input input = { data, size };
  int left = VALUES;
  if (L == NULL) L = fuzz_open("writer", false);
  fuzz_push_value(L, &input, &left);
  fuzz_judge(L, 1);
  return 0;
}
