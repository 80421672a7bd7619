/*
** Tasks: functions that each run in a coroutine, and stand still there while what they wait
** for goes on. Here is how they are begun, resumed and ended; what they wait for is known to
** whoever lets them stand.
**
** An unfinished task is kept alive by its client. Its coroutine is no secret to its function,
** so that anybody may resume or close it: nothing of ours is kept alive by its stack alone.
*/
#ifndef CK_TASK_H
#define CK_TASK_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#include "../core/list.h"
#include "../core/outcome.h"

enum ck_task_state {
  CK_TASK_READY,    /* in line to be resumed */
  CK_TASK_RUNNING,  /* on the C stack, or its call's on_event is, or a variable's __close */
  CK_TASK_AWAITING, /* stands until its call has ended */
  CK_TASK_ASLEEP,   /* until `wake_at` */
  CK_TASK_JOINING,  /* until another task has ended */
  CK_TASK_ENDED
};

/* Dry runs in an item of `each`: one of a call that reads is made up for by any real call. */
enum ck_rehearsal { CK_REHEARSED_NOTHING, CK_REHEARSED_READING, CK_REHEARSED_ACTING };

struct ck_task {
  struct ck_link line; /* stands in `ready` or `asleep` of the loop, or in `joiners` of a task */
  struct ck_loop *loop;
  struct ck_task *parent; /* in whose function it was begun, of whichever client; NULL = in none */
  unsigned long item;     /* how often its watch was asked: `each` does so before each item */
  unsigned long parent_item;    /* the parent's item in which it was begun */
  const struct ck_task *driver; /* whose wait resumed it last; only ever compared */
  lua_State *co;                /* NULL once it has ended */
  enum ck_task_state state;
  unsigned long round;     /* of the loop, when it was made ready */
  int arguments;           /* for its first resumption */
  int results;             /* once it has ended */
  void *awaits;            /* the call, while it is AWAITING */
  double wake_at;          /* while it is ASLEEP */
  struct ck_link joiners;  /* tasks that wait for its end */
  struct ck_task *joins;   /* the task that it waits for, while it is JOINING */
  enum ck_applied applied; /* by the calls made in it, and in tasks that were begun in it */
  int begun;               /* tasks that were begun in it, or in those, and have not ended */
  enum ck_rehearsal rehearsal;
  bool failed;    /* a call that was made in it, or in a task begun in it that has ended */
  bool is_judged; /* `each` decides what a failure in it means */
  bool stood;     /* at least once */
};

/* The user value of a loop's owner, a client, that holds { address = task }: unfinished tasks. */
enum { CK_LOOP_TASKS = 1 };

/* A client's tasks. */
struct ck_loop {
  struct ck_link ready;
  struct ck_link asleep; /* the first to wake is the first in line */
  struct ck_task *running;
  int depth;                /* how many tasks are resumed within each other, of waits that block */
  struct ck_task **current; /* of all clients of the state: the one whose function runs */
  unsigned long round;      /* a task that becomes ready in a round is resumed in the next */
  int closing;              /* how many tasks' variables are being closed, within each other */
  int unfinished, awaiting; /* how many there are, and how many of them await a call */
};

/* Makes the metatable of tasks, with these methods. */
void ck_task_open(lua_State *L, const luaL_Reg *methods);

/* Pushes the table of methods that all tasks have. */
void ck_task_push_methods(lua_State *L);

void ck_task_init(lua_State *L, struct ck_loop *loop);

/*
** Pops a function and `count` arguments, and pushes a task of the loop that is ready to begin. The
** loop's owner is at `index`.
*/
void ck_task_new(lua_State *L, int index, struct ck_loop *loop, int count);

/* The task at `index`; anything else raises. Its client can be pushed. */
struct ck_task *ck_task_check(lua_State *L, int index);
void ck_task_push_client(lua_State *L, int index);

/* The task whose function calls us and may be let stand; NULL: whoever calls must be blocked. */
struct ck_task *ck_task_current(lua_State *L, const struct ck_loop *loop);

/*
** The current task will stand from its next yield on. Its client is at `index`, what keeps the
** call that it awaits alive at `handle`; a standing task keeps that.
*/
void ck_task_await(lua_State *L, int index, struct ck_task *task, void *call, int handle);
void ck_task_sleep(struct ck_task *task, double wake_at);
void ck_task_join(struct ck_task *task, struct ck_task *other);

/* Returns the task whose end all wait for in the end that `task` waits for: mostly itself. */
const struct ck_task *ck_task_last_joined(const struct ck_task *task);

/* It will be resumed, whatever it waits for. */
void ck_task_make_ready(struct ck_task *task);

/* Wakes those whose time has come. */
void ck_task_wake(struct ck_loop *loop, double now);

/*
** Resumes the first ready task of the loop whose owner is at `index`, unless it became ready in
** `round` or later. Returns whether there was one.
*/
bool ck_task_run_next(lua_State *L, int index, struct ck_loop *loop, unsigned long round);

/*
** Ends a task that is not running, and whose call has ended: its variables are closed, its
** results are nil and an error of kind `cancelled`.
*/
void ck_task_kill(lua_State *L, int index);

/* Pushes the results of the task at `index`, which has ended, and returns how many. */
int ck_task_push_results(lua_State *L, int index);

/*
** A call that was made in the task, if it is one, has done that at most. So has the task that it was
** begun in, unless that has gone on to another item.
*/
void ck_task_note(struct ck_task *task, enum ck_applied applied);

/* A dry run was made in it, of a call that only reads, or of another one. */
void ck_task_note_dry_run(struct ck_task *task, bool reads);

/* A call in the running task, if there is one, failed with the error on top. The first one counts. */
void ck_task_note_error(lua_State *L);

/* Forgets that failure, if the error on top is the one that counts. */
void ck_task_forgive(lua_State *L);

/* Failures in the task are not passed on to the one that began it. */
void ck_task_judge(struct ck_task *task);

/* Pushes that error of the task at `index`, or nil, and forgets all notes: it begins another item. */
void ck_task_begin_item(lua_State *L, int index);

#endif
