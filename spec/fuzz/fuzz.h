/*
** The shared part of the fuzz targets. Every other .c file of this folder is a target, apart from
** value.c. A target may have an oracle: the function returned by the .lua file of the same name. It
** raises if a promise is broken; the input is a finding then.
*/
#ifndef CK_FUZZ_H
#define CK_FUZZ_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called by libFuzzer for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of an input that have not been taken yet. After the end, every byte is 0. */
struct fuzz_input {
  const uint8_t *at;
  size_t left;
};

/* Takes and returns a byte. */
uint8_t fuzz_byte(struct fuzz_input *input);

/* Takes a byte and returns a number from 0 to `below` - 1. */
unsigned fuzz_pick(struct fuzz_input *input, unsigned below);

/*
** Returns a state in which require "cekura" works, with the oracle at index 1. A target opens one
** state for all inputs. With `guided`, the lines of Lua that run count as coverage.
*/
lua_State *fuzz_open(const char *oracle, bool guided);

/* Pops `arguments` values and calls the oracle with them. If it raises, the input is a finding. */
void fuzz_judge(lua_State *L, int arguments);

/* Reports the input as a finding: prints the reason and aborts. */
_Noreturn void fuzz_fail(const char *what);

#endif
