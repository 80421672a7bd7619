/*
** The connections of one client: libcurl's multi handles over the client's sockets. It does not
** depend on attempts: after each function that lets libcurl act, the caller takes the easy handles
** that have finished with ck_multi_next_finished, and checks whether a multi handle has `failed`.
*/
#ifndef CK_MULTI_H
#define CK_MULTI_H

#include <curl/curl.h>
#include <stdbool.h>

#include "sockets.h"

/* A multi handle, with its own connections. */
struct ck_multi_handle {
  CURLM *curl;                  /* owned; NULL while there are no connections */
  struct ck_multi *multi;       /* borrowed; it owns this one */
  struct ck_multi_handle *next; /* owned */
  int active;                   /* easy handles that were added and not removed */
  bool used;                    /* connections may be open */
  double timer;                 /* when libcurl is due to act, on ck_clock_now's clock; 0 = never */
  double closes_at; /* when the connections, all idle, are closed; 0 = not decided yet */
};

struct ck_multi {
  struct ck_multi_handle first; /* the only one, unless many easy handles are active */
  struct ck_multi_handle *last; /* in the list that begins with `first` */
  struct ck_sockets *sockets;   /* borrowed */
  int spare;   /* owned; a descriptor for an attempt that lacks one; -1 = released */
  int active;  /* easy handles of all multi handles */
  bool polls;  /* libcurl waits for sockets itself: see ck_multi_begin */
  bool failed; /* a multi handle is unusable: remove the active easy handles, then disconnect */
};

#define CK_MULTI_MAX_IDLE 30L /* seconds; many servers close an idle connection after a minute */

/* Seconds by which a timer may be early: libcurl rounds the time until it up to a millisecond. */
#define CK_MULTI_TOLERANCE 0.001

/* Opens the first handle. Returns false without memory, or without a descriptor. */
bool ck_multi_open(struct ck_multi *multi, struct ck_sockets *sockets);

/* Closes all; no easy handle may be active. A forked child leaves the connections alone. */
void ck_multi_close(struct ck_multi *multi, bool inherited);

/*
** Notes that another easy handle begins. If none is active and `alone` is set, libcurl waits for
** sockets itself until none is active. Otherwise it describes them to the poller, which a host may
** poll; that takes 2,800 instructions for each wait of a call.
*/
void ck_multi_begin(struct ck_multi *multi, bool alone);

/*
** Adds an easy handle, which stays the caller's. Returns the multi handle that it was added to;
** NULL, with nothing added, on failure.
*/
struct ck_multi_handle *ck_multi_add(struct ck_multi *multi, CURL *easy);

/*
** Returns whether an attempt that has failed may have lacked a descriptor. It has released its own:
** this counts all that it may need, for two sockets, the resolver and a file of certificates.
*/
bool ck_multi_lacks_descriptors(const struct ck_multi *multi);

/*
** Adds an easy handle that failed for lack of a descriptor once more, after releasing the spare one
** and closing all idle connections. Returns NULL if there is nothing to release, or on failure.
*/
struct ck_multi_handle *ck_multi_add_after_disconnect(struct ck_multi *multi, CURL *easy);

/*
** Removes the easy handle from its multi handle. `sent`: a request was sent, so that its connection
** may stay open.
*/
void ck_multi_remove(struct ck_multi_handle *handle, CURL *easy, bool sent);

/*
** Waits for sockets, at most `seconds`, and lets libcurl act on those that are ready. Returns how
** many were ready; there may be more.
*/
int ck_multi_wait(struct ck_multi *multi, double seconds);

/* Returns when libcurl is due to act, on ck_clock_now's clock; 0 = never. */
double ck_multi_timer(const struct ck_multi *multi);

/* Lets libcurl act if its timer is due. */
void ck_multi_act_on_timer(struct ck_multi *multi, double now);

/*
** Returns an easy handle that has finished, and sets its code; NULL if there is no other one. The
** caller removes the handle.
*/
CURL *ck_multi_next_finished(struct ck_multi *multi, CURLcode *code);

/* Closes all connections; no easy handle may be active. ck_multi_add then opens a new handle. */
void ck_multi_disconnect(struct ck_multi *multi);

/*
** Disconnects each multi handle in which no easy handle has been active for CK_MULTI_MAX_IDLE
** seconds. Called at each step.
*/
void ck_multi_disconnect_expired(struct ck_multi *multi, double now);

#endif
