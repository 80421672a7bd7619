/* The connections of one client: libcurl's multi handles, their timers and their sockets. */
#include "multi.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

/*
** A connection is opened only if none is idle, so that there are never more than attempts at once.
** libcurl's default, four for each active handle, would close most of them in each pause.
*/
#define MAX_CONNECTIONS (1024L * 1024)
#define MAX_LOOKUPS     1024L

/*
** libcurl looks through the connections of a multi handle when a transfer begins, and again when it
** ends. With 4,096 transfers at once in one handle, that would be half of the client's work.
*/
#define MAX_ACTIVE 256

/* ---- callbacks ------------------------------------------------------------------------------ */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known) {
  struct ck_multi_handle *handle = user;
  struct ck_sockets *sockets = handle->multi->sockets;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    ck_sockets_release(sockets, socket);
    return 0;
  }
  int waits_for = ((what & CURL_POLL_IN) != 0 ? CK_POLLER_READ : 0) |
                  ((what & CURL_POLL_OUT) != 0 ? CK_POLLER_WRITE : 0);
  if (ck_sockets_watch(sockets, socket, waits_for, known != NULL, handle) != 0) return -1;
  return known != NULL || curl_multi_assign(handle->curl, socket, handle) == CURLM_OK ? 0 : -1;
}

static int on_timer(CURLM *curl, long ms, void *user) {
  struct ck_multi_handle *handle = user;
  (void)curl;
  handle->timer = ms < 0 ? 0 : ck_clock_now() + (double)ms / 1000;
  return 0;
}

/* ---- the handles ---------------------------------------------------------------------------- */

/*
** From libcurl 8.20 on, the lookups of a multi handle share a pool of threads. Its clean-up must
** not wait for those that hang, and they must not delay the lookups of other calls. The options
** are given as numbers, so that a module that was compiled with older headers sets them too; an
** older libcurl does not know them, and has a thread for each lookup.
*/
static void detach_lookups(CURLM *curl) {
  enum { RESOLVE_THREADS_MAX = CURLOPTTYPE_LONG + 20, QUICK_EXIT = CURLOPTTYPE_LONG + 21 };
  (void)curl_multi_setopt(curl, (CURLMoption)RESOLVE_THREADS_MAX, MAX_LOOKUPS);
  (void)curl_multi_setopt(curl, (CURLMoption)QUICK_EXIT, 1L);
}

/* Closes the connections. ck_multi_add opens the handle again. */
static void disconnect(struct ck_multi_handle *handle) {
  if (handle->curl != NULL) (void)curl_multi_cleanup(handle->curl);
  handle->curl = NULL;
  handle->timer = handle->closes_at = 0;
  handle->used = false;
}

static bool connect_handle(struct ck_multi_handle *handle) {
  if (handle->curl != NULL) return true;
  CURLM *curl = handle->curl = curl_multi_init();
  if (curl != NULL && curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, MAX_CONNECTIONS) == CURLM_OK &&
      curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
      curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, handle) == CURLM_OK &&
      curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
      curl_multi_setopt(curl, CURLMOPT_TIMERDATA, handle) == CURLM_OK) {
    detach_lookups(curl);
    return true;
  }
  disconnect(handle);
  return false;
}

static struct ck_multi_handle *append_handle(struct ck_multi *multi) {
  struct ck_multi_handle *handle = calloc(1, sizeof(*handle));
  if (handle == NULL) return NULL;
  handle->multi = multi;
  multi->last->next = handle;
  multi->last = handle;
  return handle;
}

/* Returns the first handle that has room; a new one if none has, or NULL without memory for it. */
static struct ck_multi_handle *find_room(struct ck_multi *multi) {
  struct ck_multi_handle *handle = &multi->first;
  while (handle != NULL && handle->active >= MAX_ACTIVE) handle = handle->next;
  return handle != NULL ? handle : append_handle(multi);
}

/* Returns the handle for another easy handle: the first one if no other one can be opened. */
static struct ck_multi_handle *choose(struct ck_multi *multi) {
  struct ck_multi_handle *handle = multi->polls ? &multi->first : find_room(multi);
  return handle != NULL && connect_handle(handle) ? handle : &multi->first;
}

/* The spare descriptor is a duplicate of the poller's. */
static int duplicate(const struct ck_multi *multi) {
  return fcntl(multi->sockets->poller, F_DUPFD_CLOEXEC, 0);
}

static void release_spare(struct ck_multi *multi) {
  if (multi->spare >= 0) (void)close(multi->spare);
  multi->spare = -1;
}

bool ck_multi_open(struct ck_multi *multi, struct ck_sockets *sockets) {
  *multi = (struct ck_multi){ .first.multi = multi, .last = &multi->first, .sockets = sockets };
  multi->spare = duplicate(multi);
  return multi->spare >= 0 && connect_handle(&multi->first);
}

void ck_multi_close(struct ck_multi *multi, bool inherited) {
  if (multi->spare >= 0) ck_poller_close(multi->spare, inherited);
  if (inherited) return;
  ck_multi_disconnect(multi);
  for (struct ck_multi_handle *handle = multi->first.next, *next; handle != NULL; handle = next) {
    next = handle->next;
    free(handle);
  }
}

bool ck_multi_lacks_descriptors(const struct ck_multi *multi) {
  enum { NEEDED = 8 };
  int copies[NEEDED], count = 0;
  while (count < NEEDED && (copies[count] = duplicate(multi)) >= 0) count++;
  bool lacks = count < NEEDED;
  while (count > 0) (void)close(copies[--count]);
  return lacks;
}

void ck_multi_begin(struct ck_multi *multi, bool alone) {
  if (multi->active == 0) multi->polls = alone;
}

/* The easy handle counts as active before it is added, so that a failure can remove it. */
struct ck_multi_handle *ck_multi_add(struct ck_multi *multi, CURL *easy) {
  if (multi->spare < 0 && !ck_multi_lacks_descriptors(multi)) multi->spare = duplicate(multi);
  struct ck_multi_handle *handle = choose(multi);
  multi->active++;
  handle->active++;
  handle->closes_at = 0;
  if (connect_handle(handle) && curl_multi_add_handle(handle->curl, easy) == CURLM_OK)
    return handle;
  ck_multi_remove(handle, easy, false);
  return NULL;
}

static bool is_used(const struct ck_multi *multi) {
  const struct ck_multi_handle *handle = &multi->first;
  while (handle != NULL && !handle->used) handle = handle->next;
  return handle != NULL;
}

struct ck_multi_handle *ck_multi_add_after_disconnect(struct ck_multi *multi, CURL *easy) {
  if (multi->active > 0 || (!is_used(multi) && multi->spare < 0)) return NULL;
  release_spare(multi);
  ck_multi_disconnect(multi);
  return ck_multi_add(multi, easy);
}

void ck_multi_remove(struct ck_multi_handle *handle, CURL *easy, bool sent) {
  if (handle->curl != NULL) (void)curl_multi_remove_handle(handle->curl, easy);
  ck_sockets_note_end(handle->multi->sockets);
  handle->multi->active--;
  handle->active--;
  if (sent) handle->used = true;
}

/* ---- letting libcurl act -------------------------------------------------------------------- */

/*
** After a failure the multi handle is not used again: if memory runs out, libcurl 7.88 leaves its
** record of a socket half removed, and divides by zero when the socket is ready again.
*/
static void act(struct ck_multi_handle *handle, curl_socket_t socket, int flags) {
  struct ck_multi *multi = handle->multi;
  int running;
  if (multi->failed || handle->curl == NULL) return;
  CURLMcode code = multi->polls ? curl_multi_perform(handle->curl, &running)
                                : curl_multi_socket_action(handle->curl, socket, flags, &running);
  multi->failed = code != CURLM_OK;
}

/* libcurl ignores a descriptor of another multi handle. */
static void act_on_event(struct ck_multi *multi, const struct ck_poller_event *event) {
  struct ck_multi_handle *user = ck_sockets_user(multi->sockets, event->socket);
  int flags = (event->readable ? CURL_CSELECT_IN : 0) | (event->writable ? CURL_CSELECT_OUT : 0) |
              (event->broken ? CURL_CSELECT_ERR : 0);
  if (user != NULL) {
    act(user, event->socket, flags);
    return;
  }
  for (struct ck_multi_handle *handle = &multi->first; handle != NULL; handle = handle->next)
    act(handle, event->socket, flags);
}

/* All active easy handles are in the first multi handle, and need no event of the poller. */
static int wait_in_libcurl(struct ck_multi *multi, double seconds) {
  int count = 0;
  ck_sockets_drop_events(multi->sockets);
  (void)curl_multi_poll(multi->first.curl, NULL, 0, ck_clock_ms(seconds), &count);
  act(&multi->first, CURL_SOCKET_TIMEOUT, 0);
  return count;
}

int ck_multi_wait(struct ck_multi *multi, double seconds) {
  struct ck_poller_event event;
  if (multi->polls && multi->active > 0) return wait_in_libcurl(multi, seconds);
  int count = ck_sockets_wait(multi->sockets, ck_clock_ms(seconds));
  for (int i = 0; i < count && ck_sockets_next_event(multi->sockets, &event); i++)
    act_on_event(multi, &event);
  return count;
}

double ck_multi_timer(const struct ck_multi *multi) {
  double timer = multi->first.timer;
  for (const struct ck_multi_handle *handle = multi->first.next; handle != NULL;
       handle = handle->next)
    if (handle->timer != 0 && (timer == 0 || handle->timer < timer)) timer = handle->timer;
  return timer;
}

void ck_multi_act_on_timer(struct ck_multi *multi, double now) {
  for (struct ck_multi_handle *handle = &multi->first; handle != NULL; handle = handle->next) {
    if (handle->timer == 0 || handle->timer > now) continue;
    handle->timer = 0; /* libcurl may set it again while it acts */
    act(handle, CURL_SOCKET_TIMEOUT, 0);
  }
}

CURL *ck_multi_next_finished(struct ck_multi *multi, CURLcode *code) {
  for (struct ck_multi_handle *handle = &multi->first; handle != NULL; handle = handle->next) {
    int left;
    CURLMsg *message = handle->active > 0 ? curl_multi_info_read(handle->curl, &left) : NULL;
    if (message == NULL) continue;
    *code = message->data.result;
    return message->easy_handle;
  }
  return NULL;
}

/* ---- idle connections ----------------------------------------------------------------------- */

void ck_multi_disconnect(struct ck_multi *multi) {
  for (struct ck_multi_handle *handle = &multi->first; handle != NULL; handle = handle->next)
    disconnect(handle);
  multi->failed = false;
}

/* libcurl itself closes expired connections only when the next request begins. */
void ck_multi_disconnect_expired(struct ck_multi *multi, double now) {
  for (struct ck_multi_handle *handle = &multi->first; handle != NULL; handle = handle->next) {
    bool is_idle = handle == &multi->first ? handle->used : handle->curl != NULL;
    if (handle->active > 0 || !is_idle) continue;
    if (handle->closes_at == 0) handle->closes_at = now + CK_MULTI_MAX_IDLE;
    else if (handle->closes_at <= now) disconnect(handle);
  }
}
