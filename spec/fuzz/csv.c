/* Fuzzes the CSV reader and writer of cekura.review.sheet. csv.lua is the oracle. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL) L = fuzz_open("csv", true);
  lua_pushlstring(L, (const char *)data, size);
  fuzz_judge(L, 1);
  return 0;
}
