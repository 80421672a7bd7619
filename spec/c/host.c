/*
** A host that runs a script in many Lua states: THREADS threads, each with STATES states, one after
** the other. A state unloads its modules when it is closed. At the end the host waits for
** SECONDS, in which a thread of an unloaded module would crash it.
**
**   host THREADS STATES SCRIPT [SECONDS]
*/
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 1, STATES, SCRIPT, SECONDS, MOST = 64 };

struct thread {
  pthread_t id;
  const char *script;
  int states;
  bool failed;
};

static bool run_once(const char *script) {
  lua_State *L = luaL_newstate();
  if (L == NULL) return false;
  luaL_openlibs(L);
  bool ok = luaL_dostring(L, script) == LUA_OK;
  if (!ok) fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  return ok;
}

static void *run(void *argument) {
  struct thread *thread = argument;
  for (int i = 0; i < thread->states && !thread->failed; i++)
    thread->failed = !run_once(thread->script);
  return NULL;
}

static bool run_all(struct thread *threads, int count) {
  bool ok = true;
  int begun = 0;
  while (begun < count && pthread_create(&threads[begun].id, NULL, run, &threads[begun]) == 0)
    begun++;
  for (int i = 0; i < begun; i++) ok = pthread_join(threads[i].id, NULL) == 0 && ok;
  for (int i = 0; i < begun; i++) ok = ok && !threads[i].failed;
  return ok && begun == count;
}

int main(int count, char **arguments) {
  struct thread threads[MOST];
  int number = count > SCRIPT ? (int)strtol(arguments[THREADS], NULL, 10) : 0;
  if (number < 1 || number > MOST) return 2;
  int states = (int)strtol(arguments[STATES], NULL, 10);
  for (int i = 0; i < number; i++)
    threads[i] = (struct thread){ .script = arguments[SCRIPT], .states = states };
  bool ok = run_all(threads, number);
  if (count > SECONDS) (void)sleep((unsigned)strtol(arguments[SECONDS], NULL, 10));
  puts(ok ? "ok" : "failed");
  return ok ? 0 : 1;
}
