/* The loop of a client's tasks: one step, and the methods of clients and tasks that drive it. */
#include "loop.h"

#include <lauxlib.h>
#include <math.h>

#include "call.h"
#include "client.h"
#include "http/clock.h"
#include "lua/response/error.h"
#include "lua/system/interrupt.h"

/* ---- one step ------------------------------------------------------------------------------ */

/* Returns the seconds until a task is ready without the transport's doing; HUGE_VAL = never. */
static double time_to_wait(const struct ck_loop *loop) {
  const struct ck_link *first = ck_list_first(&loop->asleep);
  if (ck_list_first(&loop->ready) != NULL) return 0;
  if (first == NULL) return HUGE_VAL;
  double left = ((const struct ck_task *)first)->wake_at - ck_clock_now();
  return left > 0 ? left : 0;
}

static const double SLICE = 0.01; /* seconds; then a step leaves ready tasks to the next step */

/*
** Resumes each ready task once, or as many as SLICE allows. A task may fork: the child resumes no
** other task, which would do everything a second time.
*/
static void run_tasks(lua_State *L, int index, struct ck_client *client) {
  unsigned long round = ++client->loop.round;
  double end = ck_clock_now() + SLICE;
  while (!ck_client_is_inherited(client) && ck_task_run_next(L, index, &client->loop, round) &&
         ck_clock_now() <= end) {
  }
}

/* Waits for at most `wait` seconds until there is something to do, and does it. Returns whether. */
static bool step(lua_State *L, int index, double wait) {
  struct ck_client *client = lua_touserdata(L, index);
  double most = time_to_wait(&client->loop);
  bool found =
      client->transport == NULL || ck_transport_step(client->transport, most < wait ? most : wait);
  ck_call_advance_all(L, index);
  ck_task_wake(&client->loop, ck_clock_now());
  found = found || ck_list_first(&client->loop.ready) != NULL;
  run_tasks(L, index, client);
  return found;
}

static int fail(lua_State *L, enum ck_kind kind, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  ck_error_new(L, kind, CK_APPLIED_NO);
  return 2;
}

/* ---- for a host's event loop: cqueues' protocol ---------------------------------------------- */

/* The tasks of a closed client are resumed until they have ended. */
static struct ck_client *check_drivable(lua_State *L) {
  struct ck_client *client = luaL_checkudata(L, 1, "cekura.client");
  ck_client_check_callbacks(L, client);
  if (client->is_closed && client->loop.unfinished > 0) return client;
  return ck_client_check(L);
}

/*
** client:step(seconds): waits for at most that long, by default 0; returns whether a task is left.
** It waits in pieces, because a Ctrl-C just before a wait does not end that wait.
*/
static int client_step(lua_State *L) {
  double seconds = luaL_optnumber(L, 2, 0), left = seconds > 0 ? seconds : 0;
  double end = ck_clock_now() + left;
  struct ck_client *client = check_drivable(L);
  if (client == NULL) return 2;
  unsigned long raised = ck_interrupt_count(client->interrupt);
  while (!step(L, 1, left < CK_INTERRUPT_LOOK ? left : CK_INTERRUPT_LOOK)) {
    left = end - ck_clock_now();
    if (left <= 0 || ck_interrupt_came(client->interrupt, raised)) break;
  }
  lua_pushboolean(L, client->loop.unfinished > 0);
  return 1;
}

/* client:pollfd(): the one descriptor to poll */
static int client_pollfd(lua_State *L) {
  struct ck_client *client = ck_client_check(L);
  if (client == NULL) return 2;
  lua_pushinteger(L, ck_transport_descriptor(client->transport));
  return 1;
}

/* client:events(): what to poll the descriptor for */
static int client_events(lua_State *L) {
  if (ck_client_check(L) == NULL) return 2;
  lua_pushliteral(L, "r");
  return 1;
}

/* client:timeout(): the seconds until client:step() is due at the latest; nil = no limit */
static int client_timeout(lua_State *L) {
  struct ck_client *client = check_drivable(L);
  if (client == NULL) return 2;
  double tasks = time_to_wait(&client->loop);
  double sockets = client->transport != NULL ? ck_transport_timeout(client->transport) : -1;
  double least = sockets >= 0 && sockets < tasks ? sockets : tasks;
  if (least < HUGE_VAL) lua_pushnumber(L, least);
  else lua_pushnil(L);
  return 1;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

/* client:spawn(fn, …): a task that begins with the next step */
static int client_spawn(lua_State *L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  struct ck_client *client = ck_client_check(L);
  if (client == NULL) return 2;
  ck_task_new(L, 1, &client->loop, lua_gettop(L) - 2);
  return 1;
}

static int raise_deadlock(lua_State *L) {
  return luaL_error(L, "deadlock: the task waits for one that waits for it");
}

/* The parent continues the task, whose calls may take effect. */
static int fail_inherited(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "the task was begun before fork: only the parent process can continue it");
  ck_error_new(L, CK_KIND_CONFIG, CK_APPLIED_UNKNOWN);
  return 2;
}

/*
** Returns whether the task, or one that it waits for, is below us on the C stack, or nothing can
** make it ready.
*/
static bool is_deadlocked(const struct ck_task *task) {
  const struct ck_loop *loop = task->loop;
  return ck_task_last_joined(task)->state == CK_TASK_RUNNING ||
         (ck_list_first(&loop->ready) == NULL && ck_list_first(&loop->asleep) == NULL &&
          loop->awaiting == 0);
}

/* A step may fork, and the loop may then be in the child. */
static int block_until_end(lua_State *L, struct ck_task *task) {
  ck_task_push_client(L, 1);
  int index = lua_gettop(L);
  struct ck_client *client = lua_touserdata(L, index);
  unsigned long raised = ck_interrupt_count(client->interrupt);
  ck_client_check_callbacks(L, client);
  while (task->state != CK_TASK_ENDED) {
    if (ck_client_is_inherited(client)) return fail_inherited(L);
    if (is_deadlocked(task)) return raise_deadlock(L);
    (void)step(L, index, CK_INTERRUPT_LOOK);
    if (ck_interrupt_came(client->interrupt, raised) && task->state != CK_TASK_ENDED)
      return fail(L, CK_KIND_CANCELLED, "interrupted while waiting for a task, which goes on");
  }
  return ck_task_push_results(L, 1);
}

static int resume_wait(lua_State *L, int status, lua_KContext context) {
  struct ck_task *task = (struct ck_task *)context;
  (void)status;
  if (task->state != CK_TASK_ENDED) return lua_yieldk(L, 0, context, resume_wait);
  return ck_task_push_results(L, 1);
}

/* task:wait(): the results of its function; nil and an error if it raised or was cancelled */
static int task_wait(lua_State *L) {
  struct ck_task *task = ck_task_check(L, 1), *current = ck_task_current(L, task->loop);
  if (task->state == CK_TASK_ENDED) return ck_task_push_results(L, 1);
  if (current == NULL) return block_until_end(L, task);
  if (current == task) return luaL_error(L, "a task cannot wait for its own end");
  if (ck_task_last_joined(task) == current) return raise_deadlock(L);
  ck_task_join(current, task);
  return lua_yieldk(L, 0, (lua_KContext)task, resume_wait);
}

/* task:cancel(): ends the task; returns false if it is running, or has ended */
static int task_cancel(lua_State *L) {
  struct ck_task *task = ck_task_check(L, 1);
  bool can_end = task->state != CK_TASK_ENDED && task->state != CK_TASK_RUNNING;
  if (can_end) {
    ck_task_push_client(L, 1);
    const struct ck_client *client = lua_touserdata(L, -1);
    ck_client_check_callbacks(L, client);
    if (ck_client_is_inherited(client)) return fail_inherited(L);
    if (task->state == CK_TASK_AWAITING) ck_call_abandon(L, lua_gettop(L), task);
    if (task->state != CK_TASK_ENDED) ck_task_kill(L, 1);
  }
  lua_pushboolean(L, can_end);
  return 1;
}

/* task:wake(): ends its client:sleep; returns whether it was asleep */
static int task_wake(lua_State *L) {
  struct ck_task *task = ck_task_check(L, 1);
  bool was_asleep = task->state == CK_TASK_ASLEEP;
  if (was_asleep) ck_task_make_ready(task);
  lua_pushboolean(L, was_asleep);
  return 1;
}

/* task:applied(): the maximum over the calls made in it: "no", "unknown" or "yes" */
static int task_applied(lua_State *L) {
  lua_pushstring(L, ck_applied_name(ck_task_check(L, 1)->applied));
  return 1;
}

/* task:ended() */
static int task_ended(lua_State *L) {
  lua_pushboolean(L, ck_task_check(L, 1)->state == CK_TASK_ENDED);
  return 1;
}

/* ---- client:sleep() -------------------------------------------------------------------------- */

static int end_sleep(lua_State *L) {
  if (ck_client_check(L) == NULL) return 2;
  lua_pushboolean(L, true);
  return 1;
}

static int resume_sleep(lua_State *L, int status, lua_KContext context) {
  const struct ck_task *task = (const struct ck_task *)context;
  (void)status;
  if (task->state == CK_TASK_ASLEEP) return lua_yieldk(L, 0, context, resume_sleep);
  return end_sleep(L);
}

/* on_event of a task's call may close the client, or fork. */
static int block_until(lua_State *L, struct ck_client *client, double time) {
  unsigned long raised = ck_interrupt_count(client->interrupt);
  for (double left; (left = time - ck_clock_now()) > 0;) {
    if (client->transport == NULL || ck_client_is_inherited(client)) break;
    (void)ck_transport_step(client->transport, left < CK_INTERRUPT_LOOK ? left : CK_INTERRUPT_LOOK);
    ck_call_advance_all(L, 1);
    if (ck_interrupt_came(client->interrupt, raised))
      return fail(L, CK_KIND_CANCELLED, "interrupted");
  }
  return end_sleep(L);
}

/* client:sleep(seconds): true after that time, or when woken; suspends a task, blocks otherwise */
static int client_sleep(lua_State *L) {
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0, 2, "expected seconds from 0");
  struct ck_client *client = ck_client_check(L);
  if (client == NULL) return 2;
  double time = ck_clock_now() + seconds;
  struct ck_task *task = ck_task_current(L, &client->loop);
  if (task == NULL) return block_until(L, client, time);
  ck_task_sleep(task, time);
  return lua_yieldk(L, 0, (lua_KContext)task, resume_sleep);
}

/* ---- methods --------------------------------------------------------------------------------- */

void ck_loop_open(lua_State *L) {
  static const luaL_Reg of_clients[] = {
    { "step", client_step },
    { "pollfd", client_pollfd },
    { "events", client_events },
    { "timeout", client_timeout },
    { "spawn", client_spawn },
    { "sleep", client_sleep },
    { NULL, NULL },
  };
  static const luaL_Reg of_tasks[] = {
    { "wait", task_wait },       { "cancel", task_cancel }, { "wake", task_wake },
    { "applied", task_applied }, { "ended", task_ended },   { NULL, NULL },
  };
  ck_client_push_methods(L);
  luaL_setfuncs(L, of_clients, 0);
  lua_pop(L, 1);
  ck_task_open(L, of_tasks);
}
