/*
** What the fuzz targets share. A target is one file here: its name is the target's. Where the
** code under test or the oracle is Lua, the oracle is the function that the file of the same name
** with .lua returns: it raises when something is not as promised, and that is a find.
*/
#ifndef CK_FUZZ_H
#define CK_FUZZ_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of an input, taken one after the other. Behind the end all are 0. */
struct fuzz_input {
  const uint8_t *at;
  size_t left;
};

uint8_t fuzz_byte(struct fuzz_input *input);

/* A number from 0 to `below` - 1. */
unsigned fuzz_pick(struct fuzz_input *input, unsigned below);

/*
** A state in which require "cekura" works, with the oracle at index 1. It is made once and used
** for every input. With `guided`, libFuzzer is told which lines of Lua have run.
*/
lua_State *fuzz_open(const char *oracle, bool guided);

/* Calls the oracle with so many values from the top; its error ends the process, as a find. */
void fuzz_judge(lua_State *L, int arguments);

/* Ends the process, as a find. */
_Noreturn void fuzz_fail(const char *what);

#endif
