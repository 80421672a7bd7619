/* The connections of one client: libcurl's multi handle, its timer and its sockets. */
#include "multi.h"

#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "poller.h"

/* libcurl's default, four for each active handle, would close most connections in each pause. */
#define MAX_CONNECTIONS 1024L

/* ---- callbacks ------------------------------------------------------------------------------ */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known) {
  struct ck_multi *multi = user;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    ck_poller_forget(multi->poller, socket);
    return 0;
  }
  struct ck_poller_watch watch = { .socket = socket,
                                   .readable = (what & CURL_POLL_IN) != 0,
                                   .writable = (what & CURL_POLL_OUT) != 0 };
  if (ck_poller_watch(multi->poller, &watch, known != NULL) != 0) return -1;
  return known != NULL || curl_multi_assign(multi->handle, socket, multi) == CURLM_OK ? 0 : -1;
}

static int on_timer(CURLM *handle, long ms, void *user) {
  struct ck_multi *multi = user;
  (void)handle;
  multi->timer = ms < 0 ? 0 : ck_clock_now() + (double)ms / 1000;
  return 0;
}

/* ---- the handle ----------------------------------------------------------------------------- */

/*
** From libcurl 8.20 on, the lookups of a multi handle share a pool of threads. Its clean-up must
** not wait for those that hang, and they must not delay the lookups of other calls. The options
** are given as numbers, so that a module that was compiled with older headers sets them too; an
** older libcurl does not know them, and has a thread for each lookup.
*/
static void detach_lookups(CURLM *handle) {
  enum { RESOLVE_THREADS_MAX = CURLOPTTYPE_LONG + 20, QUICK_EXIT = CURLOPTTYPE_LONG + 21 };
  (void)curl_multi_setopt(handle, (CURLMoption)RESOLVE_THREADS_MAX, MAX_CONNECTIONS);
  (void)curl_multi_setopt(handle, (CURLMoption)QUICK_EXIT, 1L);
}

static bool connect_handle(struct ck_multi *multi) {
  if (multi->handle != NULL) return true;
  CURLM *handle = multi->handle = curl_multi_init();
  if (handle != NULL &&
      curl_multi_setopt(handle, CURLMOPT_MAXCONNECTS, MAX_CONNECTIONS) == CURLM_OK &&
      curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
      curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, multi) == CURLM_OK &&
      curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
      curl_multi_setopt(handle, CURLMOPT_TIMERDATA, multi) == CURLM_OK) {
    detach_lookups(handle);
    return true;
  }
  ck_multi_disconnect(multi);
  return false;
}

/* The spare descriptor is a duplicate of the poller's. */
static int duplicate(const struct ck_multi *multi) {
  return fcntl(multi->poller, F_DUPFD_CLOEXEC, 0);
}

static void release_spare(struct ck_multi *multi) {
  if (multi->spare >= 0) (void)close(multi->spare);
  multi->spare = -1;
}

bool ck_multi_open(struct ck_multi *multi) {
  *multi = (struct ck_multi){ .poller = ck_poller_open() };
  multi->spare = duplicate(multi);
  return multi->spare >= 0 && connect_handle(multi);
}

void ck_multi_close(struct ck_multi *multi, bool inherited) {
  if (!inherited) ck_multi_disconnect(multi);
  if (multi->spare >= 0) ck_poller_close(multi->spare, inherited);
  if (multi->poller >= 0) ck_poller_close(multi->poller, inherited);
}

bool ck_multi_lacks_descriptors(const struct ck_multi *multi) {
  enum { NEEDED = 8 };
  int copies[NEEDED], count = 0;
  while (count < NEEDED && (copies[count] = duplicate(multi)) >= 0) count++;
  bool lacks = count < NEEDED;
  while (count > 0) (void)close(copies[--count]);
  return lacks;
}

/* The easy handle counts as active before it is added, so that a failure can remove it. */
bool ck_multi_add(struct ck_multi *multi, CURL *easy) {
  if (multi->spare < 0 && !ck_multi_lacks_descriptors(multi)) multi->spare = duplicate(multi);
  multi->active++;
  multi->closes_at = 0;
  if (connect_handle(multi) && curl_multi_add_handle(multi->handle, easy) == CURLM_OK) return true;
  ck_multi_remove(multi, easy, false);
  return false;
}

bool ck_multi_add_after_disconnect(struct ck_multi *multi, CURL *easy) {
  if (multi->active > 0 || (!multi->used && multi->spare < 0)) return false;
  release_spare(multi);
  ck_multi_disconnect(multi);
  return ck_multi_add(multi, easy);
}

void ck_multi_remove(struct ck_multi *multi, CURL *easy, bool sent) {
  if (multi->handle != NULL) (void)curl_multi_remove_handle(multi->handle, easy);
  multi->active--;
  if (sent) multi->used = true;
}

/* ---- letting libcurl act -------------------------------------------------------------------- */

/*
** After a failure the multi handle is not used again: if memory runs out, libcurl 7.88 leaves its
** record of a socket half removed, and divides by zero when the socket is ready again.
*/
static void act(struct ck_multi *multi, curl_socket_t socket, int flags) {
  int running;
  if (!multi->failed && multi->handle != NULL)
    multi->failed = curl_multi_socket_action(multi->handle, socket, flags, &running) != CURLM_OK;
}

int ck_multi_wait(struct ck_multi *multi, double seconds) {
  struct ck_poller_event events[CK_MULTI_MAX_EVENTS];
  int count = ck_poller_wait(multi->poller, events, CK_MULTI_MAX_EVENTS, ck_clock_ms(seconds));
  for (int i = 0; i < count; i++) {
    int flags = (events[i].readable ? CURL_CSELECT_IN : 0) |
                (events[i].writable ? CURL_CSELECT_OUT : 0) |
                (events[i].broken ? CURL_CSELECT_ERR : 0);
    act(multi, events[i].socket, flags);
  }
  return count;
}

void ck_multi_act_on_timer(struct ck_multi *multi, double now) {
  if (multi->timer == 0 || multi->timer > now) return;
  multi->timer = 0; /* libcurl may set it again while it acts */
  act(multi, CURL_SOCKET_TIMEOUT, 0);
}

CURL *ck_multi_next_finished(struct ck_multi *multi, CURLcode *code) {
  int left;
  if (multi->active == 0) return NULL; /* fast path */
  CURLMsg *message = curl_multi_info_read(multi->handle, &left);
  if (message == NULL) return NULL;
  *code = message->data.result;
  return message->easy_handle;
}

/* ---- idle connections ----------------------------------------------------------------------- */

void ck_multi_disconnect(struct ck_multi *multi) {
  if (multi->handle != NULL) (void)curl_multi_cleanup(multi->handle);
  multi->handle = NULL;
  multi->timer = multi->closes_at = 0;
  multi->used = multi->failed = false;
}

/* libcurl itself closes expired connections only when the next request begins. */
void ck_multi_disconnect_expired(struct ck_multi *multi, double now) {
  if (multi->active > 0 || !multi->used) return;
  if (multi->closes_at == 0) multi->closes_at = now + CK_MULTI_MAX_IDLE;
  else if (multi->closes_at <= now) ck_multi_disconnect(multi);
}
