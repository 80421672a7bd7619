/* Tasks: how they are made, suspended, resumed and ended, and what their calls have done. */
#include "task.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/response/error.h"
#include "lua/system/interrupt.h"

/* Places in the registry: the metatable, `current` of all loops, and { address = task }, weak. */
static const char metatable_key, current_key, tasks_key;

/* The user values of a task. */
enum {
  TASK_CLIENT = 1,
  TASK_CONTENT, /* its coroutine; a list of its results once it has ended, nil = none */
  TASK_PARENT,
  TASK_CALL,  /* the anchor of the call that it awaits, or has awaited */
  TASK_ERROR, /* of the first call that failed, while `failed` */
  TASK_VALUES = TASK_ERROR
};

/* A special number of results: TASK_CONTENT is an error, and the results are nil and that error. */
enum { ERROR_ALONE = -1 };

/* The limit of tasks that end within each other. Lua limits nested resumptions, but not these. */
enum { MAX_CLOSING = 100 };

/* ---- make ------------------------------------------------------------------------------------ */

void ck_task_open(lua_State *L, const luaL_Reg *methods) {
  /* Tasks and loops refer to all of these, also if the module is loaded again in its state. */
  bool is_open = lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key) != LUA_TNIL;
  lua_pop(L, 1);
  if (is_open) return;
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
  *(struct ck_task **)lua_newuserdatauv(L, sizeof(struct ck_task *), 0) = NULL;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &current_key);
  lua_createtable(L, 0, 2);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "cekura.task");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

static struct ck_task **current_of(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &current_key);
  struct ck_task **current = lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry owns it */
  return current;
}

void ck_task_push_methods(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_getfield(L, -1, "__index");
  lua_remove(L, -2);
}

void ck_task_init(lua_State *L, struct ck_loop *loop) {
  memset(loop, 0, sizeof(*loop));
  loop->current = current_of(L);
  ck_list_init(&loop->ready);
  ck_list_init(&loop->asleep);
}

static struct ck_task *push_task(lua_State *L, struct ck_loop *loop) {
  struct ck_task *task = lua_newuserdatauv(L, sizeof(*task), TASK_VALUES);
  memset(task, 0, sizeof(*task));
  ck_list_init(&task->link);
  ck_list_init(&task->joiners);
  task->loop = loop;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, task);
  lua_pop(L, 1);
  return task;
}

/* Pushes a task of any client. Returns false, and pushes nothing, if it is being collected. */
static bool push_alive(lua_State *L, const struct ck_task *task) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
  bool is_alive = lua_rawgetp(L, -1, task) == LUA_TUSERDATA;
  lua_remove(L, -2);
  if (!is_alive) lua_pop(L, 1);
  return is_alive;
}

/* Pushes an unfinished task of the client at `client`. */
static void push_unfinished(lua_State *L, int client, const struct ck_task *task) {
  lua_getiuservalue(L, client, CK_LOOP_TASKS);
  lua_rawgetp(L, -1, task);
  lua_remove(L, -2);
}

/*
** task → task. Takes parents that have ended out of the whole chain. Otherwise tasks that each make
** the next one, and end, would form a chain that is never collected. A worker of `each` stays until
** `each` has summed up what it has spent.
*/
static void skip_ended_parents(lua_State *L, struct ck_task *task) {
  int top = lua_gettop(L);
  lua_pushvalue(L, top);
  for (struct ck_task *parent; (parent = task->parent) != NULL;) {
    lua_getiuservalue(L, -1, TASK_PARENT);
    if (parent->state == CK_TASK_ENDED && !parent->is_judged) {
      task->parent = parent->parent;
      task->parent_item = parent->parent_item;
      lua_getiuservalue(L, -1, TASK_PARENT); /* task, parent, the parent's */
      lua_setiuservalue(L, -3, TASK_PARENT);
      lua_pop(L, 1);
    } else {
      task = parent;
      lua_remove(L, -2);
    }
  }
  lua_settop(L, top);
}

/* task → task. Anchors the parent, in which the task notes what its calls have done. */
static void set_parent(lua_State *L, struct ck_task *task) {
  struct ck_task *parent = *task->loop->current;
  if (parent == NULL || !push_alive(L, parent)) return;
  skip_ended_parents(L, parent);
  lua_setiuservalue(L, -2, TASK_PARENT);
  task->parent = parent;
  task->parent_item = parent->item;
}

/* Returns the nearest ancestor in whose present item the task, or its ancestor below, was made. */
static struct ck_task *parent_in_item(const struct ck_task *task) {
  while (task->parent != NULL && task->parent_item != task->parent->item) task = task->parent;
  return task->parent;
}

static void count_descendant(const struct ck_task *task, int change) {
  struct ck_task *at = parent_in_item(task);
  for (; at != NULL; at = parent_in_item(at)) at->descendants += change;
}

/* function, arguments, task → the same. Copies the function and the arguments to a coroutine. */
static void set_coroutine(lua_State *L, struct ck_task *task, int count) {
  int first = lua_gettop(L) - count - 1;
  task->co = lua_newthread(L);
  lua_setiuservalue(L, -2, TASK_CONTENT);
  task->arguments = count;
  luaL_checkstack(L, count + 1, "too many arguments");
  if (!lua_checkstack(task->co, count + 1)) luaL_error(L, "too many arguments");
  for (int i = 0; i <= count; i++) lua_pushvalue(L, first + i);
  lua_xmove(L, task->co, count + 1);
}

void ck_task_new(lua_State *L, int index, struct ck_loop *loop, int count) {
  struct ck_task *task = push_task(L, loop);
  lua_pushvalue(L, index);
  lua_setiuservalue(L, -2, TASK_CLIENT);
  set_coroutine(L, task, count);
  set_parent(L, task);
  lua_getiuservalue(L, index, CK_LOOP_TASKS);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, task);
  lua_pop(L, 1);
  loop->unfinished++;
  count_descendant(task, 1);
  ck_task_make_ready(task);
  lua_replace(L, -count - 2);
  lua_pop(L, count);
}

struct ck_task *ck_task_check(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  bool is_task = task != NULL && lua_getmetatable(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  if (!is_task || !lua_rawequal(L, -1, -2)) luaL_typeerror(L, index, "cekura.task");
  lua_pop(L, 2);
  return task;
}

void ck_task_push_client(lua_State *L, int index) { lua_getiuservalue(L, index, TASK_CLIENT); }

/* ---- note what calls have done --------------------------------------------------------------- */

void ck_task_note(struct ck_task *task, enum ck_applied applied) {
  for (; task != NULL; task = parent_in_item(task)) {
    if (applied > task->applied) task->applied = applied;
    if (task->dry_run == CK_DRY_RUN_READING) task->dry_run = CK_DRY_RUN_NONE;
  }
}

void ck_task_note_spent(struct ck_task *task, struct ck_spent *spent) {
  for (; task != NULL; task = task->parent) ck_spent_add(&task->spent, spent);
  *spent = (struct ck_spent){ 0 };
}

void ck_task_note_dry_run(struct ck_task *task, bool reads) {
  enum ck_dry_run dry_run = reads ? CK_DRY_RUN_READING : CK_DRY_RUN_ACTING;
  for (; task != NULL; task = parent_in_item(task))
    if (dry_run > task->dry_run) task->dry_run = dry_run;
}

void ck_task_note_error(lua_State *L) {
  struct ck_task *task = *current_of(L);
  if (task == NULL || task->failed) return;
  luaL_checkstack(L, 3, "error");
  if (!push_alive(L, task)) return;
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, TASK_ERROR);
  lua_pop(L, 1);
  task->failed = true;
}

void ck_task_forgive(lua_State *L) {
  struct ck_task *task = *current_of(L);
  if (task == NULL || !task->failed || !push_alive(L, task)) return;
  lua_getiuservalue(L, -1, TASK_ERROR);
  if (lua_rawequal(L, -1, -3)) task->failed = false;
  lua_pop(L, 2);
}

struct ck_task *ck_task_exchange_current(lua_State *L, struct ck_task *task) {
  struct ck_task **current = current_of(L), *before = *current;
  *current = task;
  return before;
}

void ck_task_judge(struct ck_task *task) { task->is_judged = true; }

void ck_task_conclude(struct ck_task *task) { task->is_judged = false; }

void ck_task_begin_item(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  if (task->failed) lua_getiuservalue(L, index, TASK_ERROR);
  else lua_pushnil(L);
  task->item++;
  task->descendants = 0;
  task->applied = CK_APPLIED_NO;
  task->dry_run = CK_DRY_RUN_NONE;
  task->failed = task->was_suspended = false;
}

/* ---- suspend --------------------------------------------------------------------------------- */

/* A coroutine that the task's function has made, or a C function that cannot yield, must block. */
struct ck_task *ck_task_current(lua_State *L, const struct ck_loop *loop) {
  struct ck_task *task = loop->running;
  return task != NULL && task->co == L && lua_isyieldable(L) ? task : NULL;
}

void ck_task_await(lua_State *L, int index, struct ck_task *task, void *call, int anchor) {
  push_unfinished(L, index, task);
  lua_pushvalue(L, anchor);
  lua_setiuservalue(L, -2, TASK_CALL);
  lua_pop(L, 1);
  task->awaits = call;
  task->state = CK_TASK_AWAITING;
  task->loop->awaiting++;
}

void ck_task_sleep(struct ck_task *task, double wake_at) {
  struct ck_link *head = &task->loop->asleep,
                 *after = head->previous; /* most are the last to wake */
  while (after != head && ((struct ck_task *)after)->wake_at > wake_at) after = after->previous;
  ck_list_insert(after->next, &task->link);
  task->state = CK_TASK_ASLEEP;
  task->wake_at = wake_at;
}

void ck_task_join(struct ck_task *task, struct ck_task *other) {
  task->state = CK_TASK_JOINING;
  task->joins = other;
  ck_list_insert(&other->joiners, &task->link);
}

/* The chain has an end: a wait that would close a cycle is refused. */
const struct ck_task *ck_task_last_joined(const struct ck_task *task) {
  while (task->joins != NULL) task = task->joins;
  return task;
}

/* Removes the task from what it waits for. */
static void end_suspension(struct ck_task *task) {
  if (task->state == CK_TASK_AWAITING) task->loop->awaiting--;
  task->state = CK_TASK_RUNNING;
  task->awaits = NULL;
  task->joins = NULL;
  ck_list_remove(&task->link);
}

void ck_task_make_ready(struct ck_task *task) {
  end_suspension(task);
  task->state = CK_TASK_READY;
  task->round = task->loop->round;
  ck_list_insert(&task->loop->ready, &task->link);
}

void ck_task_wake(struct ck_loop *loop, double now) {
  struct ck_link *first;
  while ((first = ck_list_first(&loop->asleep)) != NULL &&
         ((struct ck_task *)first)->wake_at <= now)
    ck_task_make_ready((struct ck_task *)first);
}

/* ---- end ------------------------------------------------------------------------------------- */

/* A call that failed in a task counts as failed in its parent, too. */
static void pass_failure_on(lua_State *L, int index) {
  const struct ck_task *task = lua_touserdata(L, index);
  struct ck_task *parent = task->parent;
  if (!task->failed || task->is_judged || parent == NULL || parent->failed) return;
  if (task->parent_item != parent->item) return;
  lua_getiuservalue(L, index, TASK_PARENT);
  lua_getiuservalue(L, index, TASK_ERROR);
  lua_setiuservalue(L, -2, TASK_ERROR);
  lua_pop(L, 1);
  parent->failed = true;
}

static void set_nil(lua_State *L, int index, int value) {
  lua_pushnil(L);
  lua_setiuservalue(L, index, value);
}

/* The results have been set: makes the joiners ready, and releases the task. Allocates nothing. */
static void finish(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  struct ck_link *joiner;
  end_suspension(task);
  task->state = CK_TASK_ENDED;
  task->co = NULL;
  task->loop->unfinished--;
  count_descendant(task, -1);
  pass_failure_on(L, index);
  /* Descendants note in the parent what their calls have done; those of earlier items, too. */
  if (task->descendants == 0 && task->item == 0) {
    task->parent = NULL;
    set_nil(L, index, TASK_PARENT);
  }
  set_nil(L, index, TASK_ERROR);
  set_nil(L, index, TASK_CALL);
  ck_task_push_client(L, index);
  lua_getiuservalue(L, -1, CK_LOOP_TASKS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, task);
  lua_pop(L, 2);
  while ((joiner = ck_list_first(&task->joiners)) != NULL)
    ck_task_make_ready((struct ck_task *)joiner);
}

/* `count` results → nothing */
static void end(lua_State *L, int index, int count) {
  struct ck_task *task = lua_touserdata(L, index);
  if (count > 0) lua_createtable(L, count, 0);
  else lua_pushnil(L);
  lua_insert(L, -1 - count);
  for (int i = count; i > 0; i--) lua_rawseti(L, -1 - i, i); /* list, the first i results */
  lua_setiuservalue(L, index, TASK_CONTENT);
  task->results = count;
  finish(L, index);
}

/* error → nothing. Needs no memory, as a list of results would. */
static void end_without_list(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  lua_setiuservalue(L, index, TASK_CONTENT);
  task->results = ERROR_ALONE;
  finish(L, index);
}

/* error → nothing */
static void fail(lua_State *L, int index) {
  lua_pushnil(L);
  lua_insert(L, -2);
  end(L, index, 2);
}

static void fail_cancelled(lua_State *L, int index, const char *message) {
  const struct ck_task *task = lua_touserdata(L, index);
  lua_pushstring(L, message);
  ck_error_new(L, CK_KIND_CANCELLED, task->applied);
  fail(L, index);
}

/*
** Closes the task's variables. Returns whether that pushed an error, which may be an earlier one.
*/
static bool close_coroutine(lua_State *L, struct ck_task *task) {
  struct ck_loop *loop = task->loop;
  struct ck_task *outer = loop->running, *others = *loop->current;
  loop->running = *loop->current = task;
  loop->closing++;
  bool failed = lua_resetthread(task->co) != LUA_OK;
  loop->closing--;
  loop->running = outer;
  *loop->current = others;
  if (failed) lua_xmove(task->co, L, 1);
  return failed;
}

/* Ends the task with `how`. If that raises for lack of memory, the error is the task's result. */
static void conclude(lua_State *L, int index, lua_CFunction how) {
  const struct ck_task *task = lua_touserdata(L, index);
  lua_pushcfunction(L, how);
  lua_pushvalue(L, index);
  if (ck_interrupt_call_without(L, 1, 0)) return;
  if (task->state != CK_TASK_ENDED) end_without_list(L, index);
  else lua_pop(L, 1);
}

/* task → nothing. The task's function has returned. */
static int succeed(lua_State *L) {
  const struct ck_task *task = lua_touserdata(L, 1);
  int count = lua_gettop(task->co);
  if (lua_checkstack(L, count + LUA_MINSTACK)) {
    lua_xmove(task->co, L, count);
    end(L, 1, count);
  } else {
    lua_pushliteral(L, "too many results");
    fail(L, 1);
  }
  return 0;
}

/* task → nothing. The function has raised, or was not resumed because the C stack is full. */
static int fail_raised(lua_State *L) {
  struct ck_task *task = lua_touserdata(L, 1);
  int status = lua_status(task->co);
  if (status == LUA_OK || status == LUA_YIELD) lua_xmove(task->co, L, 1);
  (void)close_coroutine(L, task); /* the error is on the top now */
  fail(L, 1);
  return 0;
}

/* task → nothing */
static int fail_taken(lua_State *L) {
  fail_cancelled(L, 1, "the task's coroutine was resumed or closed by other code");
  return 0;
}

/* task → nothing */
static int fail_killed(lua_State *L) {
  if (close_coroutine(L, lua_touserdata(L, 1))) fail(L, 1);
  else fail_cancelled(L, 1, "the task was cancelled");
  return 0;
}

/* Other code may have resumed or closed the coroutine. */
static bool is_resumable(lua_State *co) {
  lua_Debug unused;
  if (lua_status(co) == LUA_YIELD) return true;
  return lua_status(co) == LUA_OK && lua_gettop(co) > 0 && !lua_getstack(co, 0, &unused);
}

void ck_task_kill(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  if (task->loop->closing >= MAX_CLOSING) luaL_error(L, "too many tasks cancelled within others");
  end_suspension(task);
  conclude(L, index, is_resumable(task->co) ? fail_killed : fail_taken);
}

int ck_task_push_results(lua_State *L, int index) {
  const struct ck_task *task = lua_touserdata(L, index);
  int count = task->results;
  if (count == ERROR_ALONE) {
    lua_pushnil(L);
    lua_getiuservalue(L, index, TASK_CONTENT);
    return 2;
  }
  luaL_checkstack(L, count + 1, "too many results");
  lua_getiuservalue(L, index, TASK_CONTENT);
  int list = lua_gettop(L);
  for (int i = 1; i <= count; i++) lua_rawgeti(L, list, i);
  return count;
}

/* ---- resume ---------------------------------------------------------------------------------- */

static int resume(lua_State *L, struct ck_task *task) {
  struct ck_loop *loop = task->loop;
  struct ck_task *outer = loop->running, *others = *loop->current;
  int count, arguments = task->arguments;
  task->arguments = 0;
  ck_list_remove(&task->link);
  loop->running = *loop->current = task;
  task->state = CK_TASK_RUNNING;
  task->driver = outer;
  loop->depth++;
  int status = lua_resume(task->co, L, arguments, &count);
  loop->depth--;
  loop->running = outer;
  *loop->current = others;
  task->was_suspended = task->was_suspended || status == LUA_YIELD;
  if (status == LUA_YIELD) lua_pop(task->co, count);
  return status;
}

/* Resumes the task. A function that yields by itself is resumed again in the next round. */
static void step(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  if (!is_resumable(task->co)) {
    conclude(L, index, fail_taken);
    return;
  }
  int status = resume(L, task);
  if (status == LUA_OK) conclude(L, index, succeed);
  else if (status != LUA_YIELD) conclude(L, index, fail_raised);
  else if (task->state == CK_TASK_RUNNING) ck_task_make_ready(task);
}

bool ck_task_run_next(lua_State *L, int index, struct ck_loop *loop, unsigned long round) {
  const struct ck_task *task = (const struct ck_task *)ck_list_first(&loop->ready);
  int top = lua_gettop(L);
  if (task == NULL || task->round >= round) return false;
  push_unfinished(L, index, task);
  step(L, top + 1);
  lua_settop(L, top);
  return true;
}
