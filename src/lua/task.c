#include "task.h"

#include <lauxlib.h>
#include <string.h>

#include "client.h"
#include "error.h"
#include "interrupt.h"

static const char metatable_key;

/* The user values of a task. */
enum { TASK_CLIENT = 1, TASK_COROUTINE, TASK_PARENT, TASK_VALUES = TASK_PARENT };

/* ---- making one ------------------------------------------------------------------------------ */

void ck_task_open(lua_State *L, const luaL_Reg *methods) {
  lua_createtable(L, 0, 2);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "cekura.task");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}

void ck_task_init(struct ck_loop *loop) {
  memset(loop, 0, sizeof(*loop));
  ck_list_init(&loop->ready);
  ck_list_init(&loop->asleep);
}

static struct ck_task *push_task(lua_State *L, struct ck_loop *loop) {
  struct ck_task *task = lua_newuserdatauv(L, sizeof(*task), TASK_VALUES);
  memset(task, 0, sizeof(*task));
  ck_list_init(&task->line);
  ck_list_init(&task->joiners);
  task->loop = loop;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  return task;
}

/* In the client's table a task stands under its address. task → task */
static void keep(lua_State *L, int client, const struct ck_task *task) {
  lua_getiuservalue(L, client, CK_CLIENT_TASKS);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, task);
  lua_pop(L, 1);
}

static void push_kept(lua_State *L, int client, const struct ck_task *task) {
  lua_getiuservalue(L, client, CK_CLIENT_TASKS);
  lua_rawgetp(L, -1, task);
  lua_remove(L, -2);
}

/* task → task. A parent outlives its own end for as long as a child can tell it something. */
static void set_parent(lua_State *L, int client, struct ck_task *task) {
  task->parent = task->loop->running;
  if (task->parent == NULL) return;
  push_kept(L, client, task->parent);
  lua_setiuservalue(L, -2, TASK_PARENT);
}

static void set_client(lua_State *L, int client) {
  lua_pushvalue(L, client);
  lua_setiuservalue(L, -2, TASK_CLIENT);
}

/* function, arguments, task → the same; the coroutine has a copy of the former */
static void set_coroutine(lua_State *L, struct ck_task *task, int count) {
  int first = lua_gettop(L) - count - 1;
  task->co = lua_newthread(L);
  lua_setiuservalue(L, -2, TASK_COROUTINE);
  task->arguments = count;
  luaL_checkstack(L, count + 1, "too many arguments");
  if (!lua_checkstack(task->co, count + 1)) luaL_error(L, "too many arguments");
  for (int i = 0; i <= count; i++) lua_pushvalue(L, first + i);
  lua_xmove(L, task->co, count + 1);
}

void ck_task_new(lua_State *L, int index, int count) {
  struct ck_client *client = lua_touserdata(L, index);
  struct ck_task *task = push_task(L, &client->loop);
  set_client(L, index);
  set_coroutine(L, task, count);
  set_parent(L, index, task);
  keep(L, index, task);
  task->loop->unfinished++;
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

/* ---- standing, and going on --------------------------------------------------------------------- */

/* Not in a coroutine that its function made, nor below a C function that cannot be left. */
struct ck_task *ck_task_current(lua_State *L, const struct ck_loop *loop) {
  struct ck_task *task = loop->running;
  return task != NULL && task->co == L && lua_isyieldable(L) ? task : NULL;
}

void ck_task_await(struct ck_task *task, void *call) {
  task->state = CK_TASK_AWAITING;
  task->awaits = call;
  task->loop->awaiting++;
}

void ck_task_sleep(struct ck_task *task, double wake_at) {
  struct ck_link *head = &task->loop->asleep, *before = head->next;
  while (before != head && ((struct ck_task *)before)->wake_at <= wake_at) before = before->next;
  ck_list_insert(before, &task->line);
  task->state = CK_TASK_ASLEEP;
  task->wake_at = wake_at;
}

void ck_task_join(struct ck_task *task, struct ck_task *other) {
  task->state = CK_TASK_JOINING;
  ck_list_insert(&other->joiners, &task->line);
}

/* It waits no longer for whatever it waited for. */
static void leave(struct ck_task *task) {
  if (task->state == CK_TASK_AWAITING) task->loop->awaiting--;
  task->awaits = NULL;
  ck_list_remove(&task->line);
}

void ck_task_make_ready(struct ck_task *task) {
  leave(task);
  task->state = CK_TASK_READY;
  task->turn = task->loop->turn;
  ck_list_insert(&task->loop->ready, &task->line);
}

void ck_task_wake(struct ck_loop *loop, double now) {
  struct ck_link *first;
  while ((first = ck_list_first(&loop->asleep)) != NULL &&
         ((struct ck_task *)first)->wake_at <= now)
    ck_task_make_ready((struct ck_task *)first);
}

/* ---- the end of a task ---------------------------------------------------------------------------- */

void ck_task_note(struct ck_task *task, enum ck_applied applied) {
  for (; task != NULL; task = task->parent)
    if (applied > task->applied) task->applied = applied;
}

/* task at `index` → the same, no longer kept alive by its client or keeping its parent */
static void let_go(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  task->parent = NULL;
  lua_pushnil(L);
  lua_setiuservalue(L, index, TASK_PARENT);
  ck_task_push_client(L, index);
  lua_getiuservalue(L, -1, CK_CLIENT_TASKS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, task);
  lua_pop(L, 2);
}

/* Its results are on its coroutine's stack, and nothing else. */
static void end(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  struct ck_link *joiner;
  leave(task);
  task->state = CK_TASK_ENDED;
  task->loop->unfinished--;
  let_go(L, index);
  while ((joiner = ck_list_first(&task->joiners)) != NULL)
    ck_task_make_ready((struct ck_task *)joiner);
}

static void push_cancelled(lua_State *L, enum ck_applied applied) {
  lua_pushliteral(L, "the task was cancelled");
  ck_error_new(L, CK_CANCELLED, applied);
}

/* Its variables are closed; an error that it ended with stays its second result. */
static void end_early(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  bool failed = lua_resetthread(task->co) != LUA_OK;
  if (failed) lua_xmove(task->co, L, 1);
  else push_cancelled(L, task->applied);
  lua_settop(task->co, 0);
  lua_pushnil(L);
  lua_insert(L, -2);
  lua_xmove(L, task->co, 2);
  end(L, index);
}

int ck_task_push_results(lua_State *L, struct ck_task *task) {
  int count = lua_gettop(task->co);
  luaL_checkstack(L, count, "too many results");
  if (!lua_checkstack(task->co, count)) luaL_error(L, "too many results");
  for (int i = 1; i <= count; i++) lua_pushvalue(task->co, i);
  lua_xmove(task->co, L, count);
  return count;
}

/* ---- resuming --------------------------------------------------------------------------------------- */

/* Its coroutine is no secret, and somebody else may have resumed or closed it. */
static bool is_resumable(lua_State *co) {
  lua_Debug unused;
  if (lua_status(co) == LUA_YIELD) return true;
  return lua_status(co) == LUA_OK && lua_gettop(co) > 0 && !lua_getstack(co, 0, &unused);
}

static int resume(lua_State *L, struct ck_task *task) {
  struct ck_task *outer = task->loop->running;
  int count, arguments = task->arguments;
  task->arguments = 0;
  ck_list_remove(&task->line);
  task->loop->running = task;
  task->state = CK_TASK_RUNNING;
  int status = lua_resume(task->co, L, arguments, &count);
  task->loop->running = outer;
  task->stood = task->stood || status == LUA_YIELD;
  if (status == LUA_YIELD) lua_pop(task->co, count);
  return status;
}

static void end_elsewhere(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  task->co = lua_newthread(L); /* the other one is no longer ours to look into */
  lua_setiuservalue(L, index, TASK_COROUTINE);
  lua_pushnil(L);
  lua_pushliteral(L, "the task's coroutine was resumed or closed by somebody else");
  ck_error_new(L, CK_CANCELLED, task->applied);
  lua_xmove(L, task->co, 2);
  end(L, index);
}

void ck_task_kill(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  if (is_resumable(task->co)) end_early(L, index);
  else end_elsewhere(L, index);
}

static void raise_interrupt(lua_State *L, struct ck_task *task) {
  lua_pushvalue(task->co, -1);
  lua_xmove(task->co, L, 1);
  if (ck_interrupt_is_error(L)) (void)lua_error(L);
  lua_pop(L, 1);
}

/* A function that yields by itself lets the others go on, and is resumed after them. */
static void step(lua_State *L, int index) {
  struct ck_task *task = lua_touserdata(L, index);
  if (!is_resumable(task->co)) {
    end_elsewhere(L, index);
    return;
  }
  int status = resume(L, task);
  if (status == LUA_OK) end(L, index);
  if (status == LUA_YIELD && task->state == CK_TASK_RUNNING) ck_task_make_ready(task);
  if (status == LUA_OK || status == LUA_YIELD) return;
  end_early(L, index);
  raise_interrupt(L, task);
}

void ck_task_run(lua_State *L, int index) {
  struct ck_client *client = lua_touserdata(L, index);
  unsigned long turn = ++client->loop.turn;
  struct ck_link *first;
  while ((first = ck_list_first(&client->loop.ready)) != NULL &&
         ((struct ck_task *)first)->turn < turn) {
    push_kept(L, index, (struct ck_task *)first);
    step(L, lua_gettop(L));
    lua_pop(L, 1);
  }
}
