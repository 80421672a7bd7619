/* For hosts that link libcekura.a: the function that opens the module cekura.core. */
#ifndef CEKURA_H
#define CEKURA_H
#include <lua.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Preload it as "cekura.core"; the guide on embedding shows how. */
__attribute__((visibility("default"))) int luaopen_cekura_core(lua_State *L);

#ifdef __cplusplus
}
#endif
#endif
