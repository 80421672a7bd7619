/*
** A host with allocation failures. It runs a script again and again, each time in a new state and
** with another allocation failing, until every one has failed:
**
**   alloc KIND HOW STEP FIRST SCRIPT [ARGUMENT …]
**
** KIND says whose allocations fail: "lua", "curl", or "own" for the module's (--wrap redirects its
** calls of malloc and the like). HOW says which fail: "once", the n-th; "twice", the n-th and the
** next, because Lua tries again after a collection; "onwards", the n-th and all later ones. n
** begins at FIRST and grows by STEP.
**
** The script gets a function, failing(fn, …), in which allocations are counted and fail, and which
** returns the results of pcall; and the ARGUMENTs. It raises if a result is wrong. After each run
** every block and every descriptor must have been released.
*/
#include <curl/curl.h>
#include <dirent.h>
#include <dlfcn.h>
#ifdef __GLIBC__
#include <execinfo.h>
#endif
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int luaopen_cekura_core(lua_State *L); /* libcekura.a */

enum kind { BY_LUA, BY_CURL, BY_US, KINDS };

static const char *const kind_names[KINDS + 1] = { "lua", "curl", "own", NULL };

enum {
  MAX_SECONDS = 20, /* of one run */
  MAX_MS = 2000,    /* after it */
  MAX_FAILURES = 5, /* of all */
  LULL = 3          /* runs in a row without a failure are the last: timing varies */
};

/*
** The counts are atomic because of libcurl's resolver thread, which looks up even a numeric address
** if there is no memory to parse it.
*/
static struct {
  atomic_long live[KINDS]; /* blocks; of Lua, bytes */
  enum kind kind;
  bool armed;
  atomic_long count; /* allocations since it was armed */
  long first, last;  /* which of them fail */
} memory;

static bool fails(enum kind kind) {
  if (!memory.armed || kind != memory.kind) return false;
  long number = ++memory.count;
  return number >= memory.first && number <= memory.last;
}

/* ---- the allocators -------------------------------------------------------------------------- */

/* The linker requires these names. NOLINTBEGIN(*-reserved-identifier,cert-dcl*) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t most);
void __real_free(void *block);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);
void __wrap_free(void *block);
/* NOLINTEND(*-reserved-identifier,cert-dcl*) */

static void *counted(enum kind kind, void *block) {
  if (block != NULL) memory.live[kind]++;
  return block;
}

static void *new_block(enum kind kind, size_t size) {
  return fails(kind) ? NULL : counted(kind, __real_malloc(size));
}

static void *new_zeroed(enum kind kind, size_t count, size_t size) {
  return fails(kind) ? NULL : counted(kind, __real_calloc(count, size));
}

static void *resized(enum kind kind, void *block, size_t size) {
  if (fails(kind)) return NULL;
  void *moved = __real_realloc(block, size);
  return block == NULL ? counted(kind, moved) : moved;
}

static void freed(enum kind kind, void *block) {
  if (block != NULL) memory.live[kind]--;
  __real_free(block);
}

void *__wrap_malloc(size_t size) { return new_block(BY_US, size); }
void *__wrap_calloc(size_t count, size_t size) { return new_zeroed(BY_US, count, size); }
void *__wrap_realloc(void *block, size_t size) { return resized(BY_US, block, size); }
void __wrap_free(void *block) { freed(BY_US, block); }

char *__wrap_strdup(const char *text) {
  return fails(BY_US) ? NULL : counted(BY_US, __real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t most) {
  return fails(BY_US) ? NULL : counted(BY_US, __real_strndup(text, most));
}

static void *curl_malloc(size_t size) { return new_block(BY_CURL, size); }
static void *curl_calloc(size_t count, size_t size) { return new_zeroed(BY_CURL, count, size); }
static void *curl_realloc(void *block, size_t size) { return resized(BY_CURL, block, size); }

/*
** One fault is tolerated: libcurl 7.88.1 stores a TLS session with copies of the host's
** name and of the connection's settings (Curl_ssl_addsessionid). If one of the latter fails, it
** frees the name, leaves the pointer in the cache, and frees it again with the next session: see
** spec/c/session.c. The memory of such a name is released when it is freed the second time.
*/
static struct {
  char *copy; /* the last copy of the host's name */
  char *name; /* the one that was to go with a session; NULL: no such copy has failed */
  bool freed; /* once */
  long count; /* names that were freed twice */
} session;

static const char host[] = "127.0.0.1"; /* of spec/stress/alloc_spec.lua */

/* OpenSSL calls libcurl with a session, and hardly for anything else. */
static bool is_in_openssl(void) {
#ifdef __GLIBC__
  void *frames[8];
  Dl_info object;
  for (int i = backtrace(frames, 8); i-- > 0;)
    if (dladdr(frames[i], &object) != 0 && strstr(object.dli_fname, "/libssl") != NULL) return true;
#endif
  return false;
}

static char *curl_duplicate(const char *text) {
  bool is_host = strcmp(text, host) == 0;
  if (fails(BY_CURL)) {
    if (!is_host && is_in_openssl()) session.name = session.copy;
    return NULL;
  }
  char *copy = counted(BY_CURL, __real_strdup(text));
  if (is_host) session.copy = copy;
  return copy;
}

static void forget_name(void) {
  if (session.freed) __real_free(session.name);
  session.name = NULL;
  session.freed = false;
}

static void release_name(void) {
  if (session.freed) {
    session.count++;
    forget_name();
  } else {
    session.freed = true;
    memory.live[BY_CURL]--;
  }
}

static void curl_release(void *block) {
  if (block != NULL && block == session.name) release_name();
  else freed(BY_CURL, block);
}

/* A block that does not grow is not an allocation, and always succeeds. */
static void *lua_allocate(void *unused, void *block, size_t before, size_t after) {
  (void)unused;
  if (block == NULL) before = 0; /* a type, not a size */
  if (after > before && fails(BY_LUA)) return NULL;
  void *moved = after > 0 ? __real_realloc(block, after) : NULL;
  if (after > 0 && moved == NULL) return NULL;
  if (after == 0) __real_free(block);
  memory.live[BY_LUA] += (long)after - (long)before;
  return moved;
}

static int count_descriptors(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return 0;
  while (readdir(folder) != NULL) count++;
  (void)closedir(folder);
  return count;
}

/* ---- one run --------------------------------------------------------------------------------- */

/* failing(fn, …): the results of pcall */
static int failing(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  memory.count = 0;
  memory.armed = true;
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  memory.armed = false;
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

static int explain(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* descriptors(): the number of open descriptors */
static int descriptors(lua_State *L) {
  lua_pushinteger(L, count_descriptors());
  return 1;
}

/*
** Does everything that may raise. The argument is a list of C strings: the script's name, and its
** own.
*/
static int run_script(lua_State *L) {
  char **words = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_cekura_core);
  lua_setfield(L, -2, "cekura.core");
  lua_register(L, "descriptors", descriptors);
  if (luaL_loadfile(L, *words) != LUA_OK) return lua_error(L);
  int function = lua_gettop(L);
  lua_pushcfunction(L, failing);
  while (*++words != NULL) lua_pushstring(L, *words);
  lua_call(L, lua_gettop(L) - function, 0);
  return 0;
}

static bool run(char **words) {
#if LUA_VERSION_NUM >= 505
  lua_State *L = lua_newstate(lua_allocate, NULL, 0); /* the same seed in every run */
#else
  lua_State *L = lua_newstate(lua_allocate, NULL);
#endif
  if (L == NULL) return false;
  lua_pushcfunction(L, explain);
  lua_pushcfunction(L, run_script);
  lua_pushlightuserdata(L, words);
  bool ok = lua_pcall(L, 1, 0, 1) == LUA_OK;
  if (!ok) printf("%s\n", lua_tostring(L, -1));
  lua_close(L);
  return ok;
}

/* ---- leaks of a run ------------------------------------------------------------------- */

struct account {
  long live[KINDS];
  int descriptors;
};

static struct account take_account(void) {
  struct account account = { .descriptors = count_descriptors() };
  for (int i = 0; i < KINDS; i++) account.live[i] = memory.live[i];
  return account;
}

static bool is_same(const struct account *a, const struct account *b) {
  bool same = a->descriptors == b->descriptors;
  for (int i = 0; i < KINDS; i++) same = same && a->live[i] == b->live[i];
  return same;
}

/* A DNS lookup whose call has ended has blocks and a descriptor until its thread ends. */
static struct account settle_account(const struct account *wanted) {
  struct account now = take_account();
  for (int ms = 0; ms < MAX_MS && !is_same(&now, wanted); ms++) {
    (void)usleep(1000);
    now = take_account();
  }
  return now;
}

static bool is_balanced(const struct account *before) {
  struct account now = settle_account(before);
  bool balanced = now.descriptors == before->descriptors;
  for (int i = 0; i < KINDS; i++) {
    if (now.live[i] == before->live[i]) continue;
    printf("%s: %+ld left\n", kind_names[i], now.live[i] - before->live[i]);
    memory.live[i] = before->live[i]; /* report it once */
    balanced = false;
  }
  if (now.descriptors != before->descriptors)
    printf("descriptors: %+d left\n", now.descriptors - before->descriptors);
  return balanced;
}

/* ---- all runs -------------------------------------------------------------------------------- */

static void aim(const char *how, long n) {
  memory.first = n;
  memory.last = strcmp(how, "once") == 0 ? n : strcmp(how, "twice") == 0 ? n + 1 : LONG_MAX;
}

static bool run_with(const char *how, long n, char **words, const struct account *before) {
  (void)alarm(MAX_SECONDS);
  aim(how, n);
  if (getenv("ALLOC_VERBOSE") != NULL) printf("%ld\n", n);
  bool ok = run(words), balanced = is_balanced(before);
  forget_name();
  if (!ok || !balanced) printf("%s %s, n = %ld: failed\n", kind_names[memory.kind], how, n);
  return ok && balanced;
}

static int run_all(const char *how, long step, long n, char **words) {
  struct account before = take_account();
  long points = 0, most = 0;
  int failures = 0, lull = 0;
  for (; lull < LULL && failures < MAX_FAILURES; n += step) {
    if (!run_with(how, n, words, &before)) failures++;
    if (memory.count < n) lull++;
    else points++, lull = 0, most = n;
  }
  printf("%s %s: %ld of the first %ld allocations have failed, %d runs went wrong\n",
         kind_names[memory.kind], how, points, most, failures);
  printf("libcurl: %ld names freed twice\n", session.count);
  return failures > 0;
}

/* Returns the bytes that libc has allocated; 0 if that is not known, as under ASan. */
static long ask_libc(void) {
#ifdef __GLIBC__
  return (long)mallinfo2().uordblks;
#else
  return 0;
#endif
}

/* Keeps the module loaded: after lua_close has unloaded it, a leak has no function names. */
static bool keep_loaded(const char *path) {
  return path == NULL || dlopen(path, RTLD_NOW | RTLD_NODELETE) != NULL;
}

static int usage(void) {
  (void)fprintf(stderr, "usage: alloc lua|curl|own once|twice|onwards STEP FIRST SCRIPT …\n");
  return 2;
}

static bool choose_kind(const char *name) {
  for (int i = 0; i < KINDS; i++) {
    if (strcmp(name, kind_names[i]) != 0) continue;
    memory.kind = (enum kind)i;
    return true;
  }
  return false;
}

int main(int count, char **words) {
  if (count < 6 || !choose_kind(words[1])) return usage();
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc,
                           curl_duplicate, curl_calloc) != CURLE_OK)
    return 2;
  aim("onwards", LONG_MAX);
  if (!keep_loaded(getenv("ALLOC_KEEP"))) return 2;
  if (!run(words + 5))
    return 1; /* the first run also allocates what lives as long as the process */
  long before = ask_libc();
  int code = run_all(words[2], strtol(words[3], NULL, 10), strtol(words[4], NULL, 10), words + 5);
  printf("libc: %+ld\n", ask_libc() - before);
  return code;
}
