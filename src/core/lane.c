/* libcurl's multi handle, its timer and its sockets. */
#include "clock.h"
#include "poller.h"
#include "slot.h"

/* ---- what libcurl calls, to say what it waits for ----------------------------------- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known) {
  struct ck_lane *lane = user;
  int poller = lane->transport->poller;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    ck_poller_forget(poller, socket);
    return 0;
  }
  struct ck_poller_watch watch = { .socket = socket,
                                   .readable = (what & CURL_POLL_IN) != 0,
                                   .writable = (what & CURL_POLL_OUT) != 0 };
  if (ck_poller_watch(poller, &watch, known != NULL) != 0) return -1;
  return known != NULL || curl_multi_assign(lane->multi, socket, lane) == CURLM_OK ? 0 : -1;
}

static int on_timer(CURLM *multi, long ms, void *user) {
  struct ck_lane *lane = user;
  (void)multi;
  lane->timer = ms < 0 ? 0 : ck_clock_now() + (double)ms / 1000;
  return 0;
}

/* ---- what it does about it ------------------------------------------------------------ */

static void finish_all(struct ck_lane *lane) {
  for (struct ck_transfer_slot *slot = lane->transport->slots; slot != NULL; slot = slot->next)
    if (slot->active && slot->lane == lane) ck_slot_finish(slot, CURLE_ABORTED_BY_CALLBACK);
}

/*
** A multi handle that fails fails all, and is of no use any more: where memory ran out, libcurl
** 7.88 leaves what it knows of a socket half taken apart, and divides by zero when it comes back
** to it. The next attempt opens another one.
*/
void ck_lane_act(struct ck_lane *lane, curl_socket_t socket, int flags) {
  int running;
  if (curl_multi_socket_action(lane->multi, socket, flags, &running) == CURLM_OK) return;
  finish_all(lane);
  ck_lane_close(lane);
}

void ck_lane_act_on_timer(struct ck_lane *lane, double now) {
  if (lane->timer == 0 || lane->timer > now) return;
  lane->timer = 0; /* libcurl sets it anew while it acts */
  ck_lane_act(lane, CURL_SOCKET_TIMEOUT, 0);
}

void ck_lane_collect(struct ck_lane *lane) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(lane->multi, &left)) != NULL;) {
    char *slot = NULL;
    CURLcode code = message->data.result;
    if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot) == CURLE_OK)
      ck_slot_finish((struct ck_transfer_slot *)(void *)slot, code);
  }
}

/* ---- the handle ------------------------------------------------------------------------ */

/* By itself libcurl keeps four for each transfer under way, and forgets them in every lull. */
#define MAX_KEPT 1024L

static bool set_up(CURLM *multi, struct ck_lane *lane) {
  return curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, MAX_KEPT) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lane) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lane) == CURLM_OK;
}

bool ck_lane_open(struct ck_lane *lane, struct ck_transport *transport) {
  lane->transport = transport;
  if (lane->multi != NULL) return true;
  lane->multi = curl_multi_init();
  if (lane->multi != NULL && set_up(lane->multi, lane)) return true;
  ck_lane_close(lane);
  return false;
}

void ck_lane_close(struct ck_lane *lane) {
  if (lane->multi != NULL) (void)curl_multi_cleanup(lane->multi);
  lane->multi = NULL;
  lane->timer = lane->closes_at = 0;
  lane->used = false;
}

/* By itself libcurl closes what has expired when the next request begins, be it in a week. */
void ck_lane_expire(struct ck_lane *lane, double now) {
  if (lane->active > 0 || !lane->used) return;
  if (lane->closes_at == 0) lane->closes_at = now + CK_MAX_IDLE;
  else if (lane->closes_at <= now) ck_lane_close(lane);
}
