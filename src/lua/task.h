/*
** Tasks: functions that each run in a coroutine, and are suspended until a call, a sleep or another
** task has ended. loop.c and call.c suspend a task; once it is ready, the loop resumes it.
**
** The client anchors its unfinished tasks. Other code can resume or close the coroutine of a task,
** so that nothing of ours may be anchored by that coroutine's stack alone.
*/
#ifndef CK_TASK_H
#define CK_TASK_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#include "policy/outcome.h"
#include "policy/spending.h"
#include "text/list.h"

enum ck_task_state {
  CK_TASK_READY,    /* queued to be resumed */
  CK_TASK_RUNNING,  /* on the C stack, or the __close of one of its variables is */
  CK_TASK_AWAITING, /* suspended until its call has ended */
  CK_TASK_ASLEEP,   /* suspended until `wake_at` */
  CK_TASK_JOINING,  /* suspended until another task has ended */
  CK_TASK_ENDED
};

/* Dry runs in an item of `each`. Any real call overrides the dry run of a call that only reads. */
enum ck_dry_run { CK_DRY_RUN_NONE, CK_DRY_RUN_READING, CK_DRY_RUN_ACTING };

struct ck_task {
  struct ck_link link; /* in `ready` or `asleep` of the loop, or in `joiners` of another task */
  struct ck_loop *loop;
  struct ck_task *parent;       /* the task, of any client, that made this one; NULL = none */
  unsigned long item;           /* of `each`: counts ck_task_begin_item */
  unsigned long parent_item;    /* the item of the parent in which this task was made */
  const struct ck_task *driver; /* the task whose wait resumed it last; never dereferenced */
  lua_State *co;                /* NULL once it has ended */
  enum ck_task_state state;
  unsigned long round;     /* of the loop, when it became ready */
  int arguments;           /* for its first resumption */
  int results;             /* once it has ended */
  void *awaits;            /* the call, while it is AWAITING */
  double wake_at;          /* on ck_clock_now's clock, while it is ASLEEP */
  struct ck_link joiners;  /* tasks that wait for its end */
  struct ck_task *joins;   /* the task that it waits for, while it is JOINING */
  enum ck_applied applied; /* the maximum over its calls, and those of its descendants */
  struct ck_spent spent;   /* likewise the sum, over all of its items */
  int descendants;         /* tasks made in it, or in those, that have not ended */
  enum ck_dry_run dry_run;
  bool failed;        /* a call failed in it, or in a descendant that has ended */
  bool is_judged;     /* `each` decides what a failure in it means, and sums up what it has spent */
  bool was_suspended; /* at least once */
};

/* The user value of a client that contains { address = task }: its unfinished tasks. */
enum { CK_LOOP_TASKS = 1 };

/* A client's tasks. */
struct ck_loop {
  struct ck_link ready;
  struct ck_link asleep; /* ordered by `wake_at` */
  struct ck_task *running;
  int depth;                /* tasks that are resumed within each other, by waits that block */
  struct ck_task **current; /* the running task of any client; shared by all loops of a state */
  unsigned long round;      /* a task that becomes ready in a round is resumed in the next */
  int closing;              /* tasks whose variables are being closed, within each other */
  int unfinished, awaiting; /* tasks that have not ended, and those that await a call */
};

/* Makes the metatable of tasks, with these methods. */
void ck_task_open(lua_State *L, const luaL_Reg *methods);

/* Pushes the table of methods that all tasks have. */
void ck_task_push_methods(lua_State *L);

/* Initialises the loop of a client. */
void ck_task_init(lua_State *L, struct ck_loop *loop);

/*
** Pops a function and `count` arguments, and pushes a task of the loop, which is ready to begin.
** The loop's client is at `index`.
*/
void ck_task_new(lua_State *L, int index, struct ck_loop *loop, int count);

/* Returns the task at `index`; raises if the value is not a task. */
struct ck_task *ck_task_check(lua_State *L, int index);

/* Pushes the client of the task at `index`. */
void ck_task_push_client(lua_State *L, int index);

/* Returns the task whose function is running, if it can yield here; NULL: the caller must block. */
struct ck_task *ck_task_current(lua_State *L, const struct ck_loop *loop);

/*
** Suspend the current task at its next yield: until its call has ended, until `wake_at`, or until
** another task has ended. The client of the task is at `index`, the anchor of the call at `anchor`.
*/
void ck_task_await(lua_State *L, int index, struct ck_task *task, void *call, int anchor);
void ck_task_sleep(struct ck_task *task, double wake_at);
void ck_task_join(struct ck_task *task, struct ck_task *other);

/*
** Returns the last task of the chain in which each one waits for the next: mostly `task` itself.
*/
const struct ck_task *ck_task_last_joined(const struct ck_task *task);

/* Ends the suspension of a task, whatever it waits for. The next round resumes it. */
void ck_task_make_ready(struct ck_task *task);

/* Makes the sleeping tasks ready whose `wake_at` has passed. */
void ck_task_wake(struct ck_loop *loop, double now);

/*
** Resumes the first ready task of the loop, whose client is at `index`, unless it became ready in
** `round` or later. Returns whether there was one.
*/
bool ck_task_run_next(lua_State *L, int index, struct ck_loop *loop, unsigned long round);

/*
** Ends the task at `index`, which is not running, and whose call has ended. Closes its variables.
** Its results are nil and an error of kind `cancelled`.
*/
void ck_task_kill(lua_State *L, int index);

/* Pushes the results of the task at `index`, which has ended, and returns how many. */
int ck_task_push_results(lua_State *L, int index);

/*
** Notes what a call in the task may have done, also in its ancestors, unless one has begun another
** item since. `task` may be NULL.
*/
void ck_task_note(struct ck_task *task, enum ck_applied applied);

/* Moves what a call has spent to the task, which may be NULL, and to its ancestors. */
void ck_task_note_spent(struct ck_task *task, struct ck_spent *spent);

/* Notes the dry run of a call in the task, which may be NULL; `reads` if the call only reads. */
void ck_task_note_dry_run(struct ck_task *task, bool reads);

/*
** Notes the error on the top as that of a call in the running task. Only the first one of an item
** counts.
*/
void ck_task_note_error(lua_State *L);

/* Clears the noted error of the running task if it is the one on the top. */
void ck_task_forgive(lua_State *L);

/* Makes another task, or NULL, the running one, which notes what calls do. Returns the former one. */
struct ck_task *ck_task_exchange_current(lua_State *L, struct ck_task *task);

/*
** From now on, failures in the task do not count as failures in its parent, and tasks that were made
** in it note in it what they spend, also once it has ended. ck_task_conclude ends this.
*/
void ck_task_judge(struct ck_task *task);
void ck_task_conclude(struct ck_task *task);

/* Pushes the noted error of the task at `index`, or nil, and clears all notes. */
void ck_task_begin_item(lua_State *L, int index);

#endif
