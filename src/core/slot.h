/*
** What transport.c and transfer.c share of libcurl, and nobody else sees.
*/
#ifndef CK_SLOT_H
#define CK_SLOT_H

#include <curl/curl.h>
#include <sys/types.h>

#include "list.h"
#include "limiter.h"
#include "transport.h"

#if LIBCURL_VERSION_NUM < 0x075000
#error "cekura needs libcurl 7.80 or newer: CURLOPT_PREREQFUNCTION counts what is sent"
#endif

/* What a transfer needs of libcurl. It exists for as long as both it and the transport do. */
struct ck_transfer_slot {
  struct ck_link line; /* stands in `waiting` or in `done` of the transport, or in neither */
  struct ck_transport *transport;
  struct ck_transfer *transfer;          /* NULL: it is inherited, and has been left */
  struct ck_transfer_slot *next, **link; /* in the transport's list; link points here */
  CURL *easy;
  struct ck_lane *lane;          /* of the attempt that began last */
  double deadline;               /* on ck_clock_now's clock */
  struct ck_ticket turn;         /* of the attempt that began last */
  int tries;                     /* while it waits for a turn: how many it has had */
  unsigned long number;          /* … and how many have waited before, with this one */
  struct ck_request_options set; /* what libcurl was last told, so as not to tell it again */
  const void *set_headers;
  bool knows_set;     /* false: some of `set` may not have arrived */
  bool active;        /* in the multi handle */
  bool asleep;        /* until the deadline */
  bool head_complete; /* the blank line has come */
  bool delimited;     /* the head tells where the body ends */
  bool has_length;    /* … because one of its lines says so */
  bool late;          /* its time was over before the request could be sent, and it was not */
};

struct ck_lane {
  struct ck_transport *transport;
  CURLM *multi;     /* NULL once it has failed, until the next attempt */
  double timer;     /* when libcurl wants to be called, on ck_clock_now's clock; 0 = never */
  bool used;        /* there may be connections */
  double closes_at; /* once all of them are idle; 0 = they are not, or it is not known yet */
  int active;       /* slots whose attempt is under way here */
};

struct ck_transport {
  struct ck_lane lane;
  CURL *template; /* every transfer's easy handle is a duplicate of it */
  CURLU *url;     /* parsed once; what a request asks for is set as CURLOPT_REQUEST_TARGET */
  char *path;     /* of the URL, without a slash at the end */
  char *proxy;    /* its name, for curl_free; NULL where there is none */
  struct ck_headers headers;
  struct ck_transfer_slot *slots;
  double deadline;        /* no transfer's deadline is before this; 0 = none has one */
  struct ck_link waiting; /* slots whose turn to begin an attempt has not come */
  struct ck_link done;    /* slots whose owner has not been told yet */
  unsigned long queued;   /* how many times a slot has begun to wait for its turn */
  struct ck_limiter limiter;
  struct ck_retry_quota quota;
  int busy; /* transfers that are not done */
  int poller;
  pid_t owner;
  struct ck_transport *left; /* see ck_transport_close */
};

_Static_assert((int)CK_DETAIL_SIZE >= (int)CURL_ERROR_SIZE, "libcurl writes its reasons there");

#define CK_MAX_IDLE 30L /* seconds: many servers close an idle connection after a minute */

#define SET(easy, option, value) (curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/* What every transfer's handle is duplicated with: how libcurl reports on an attempt. */
bool ck_slot_set_template(CURL *easy);

/* Ends the attempt: takes it out of the multi handle, and says what was seen of it. */
void ck_slot_finish(struct ck_transfer_slot *slot, CURLcode code);

/* Ends the sleep, or the wait for a turn. */
void ck_slot_wake(struct ck_transfer_slot *slot);

/*
** Lets those begin whose turn has come; whether there were any. Not before what has ended has
** been judged: it may have been told to pause.
*/
bool ck_gate_open(struct ck_transport *transport);

/* Seconds until there may be one, as far as time alone decides that; else HUGE_VAL. */
double ck_gate_time_left(const struct ck_transport *transport, double now);

/* The slot's attempt, if it had begun one, is over: there is room for another. */
void ck_gate_leave(struct ck_transfer_slot *slot);

/* Ends what is going on and gives all back. What is inherited is left as it is. */
void ck_slot_free(struct ck_transfer_slot *slot, bool inherited);

/* Does nothing to one that is open. False: out of memory, and it may be tried again. */
bool ck_lane_open(struct ck_lane *lane, struct ck_transport *transport);

/* Its connections end. No attempt is under way in it. */
void ck_lane_close(struct ck_lane *lane);

/* Closes it once all of its connections have been idle for too long. */
void ck_lane_expire(struct ck_lane *lane, double now);

/* Lets libcurl look at a socket; do what its timer is due for; and hands out what has ended. */
void ck_lane_act(struct ck_lane *lane, curl_socket_t socket, int flags);
void ck_lane_act_on_timer(struct ck_lane *lane, double now);
void ck_lane_collect(struct ck_lane *lane);

/* Lets libcurl begin with the slot's handle, which has just been added. */
void ck_transport_begin(struct ck_transport *transport, const struct ck_transfer_slot *slot);

/* Closes connections that nothing goes over. False: there may be none. */
bool ck_transport_free_descriptors(struct ck_transport *transport);

/* Looks at the slots' deadlines at that time, or earlier. */
void ck_transport_wake_at(struct ck_transport *transport, double time);

#endif
