/* The writer: any Lua value becomes JSON or problems. See writer.lua for what is promised. */
#include "value.h"

enum { VALUES = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  struct fuzz_input input = { data, size };
  int budget = VALUES;
  if (L == NULL) L = fuzz_open("writer", false);
  fuzz_push_value(L, &input, &budget);
  fuzz_judge(L, 1);
  return 0;
}
