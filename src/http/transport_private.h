/* The inside of a transport, and the functions of transfer.c that only transport.c calls. */
#ifndef CK_TRANSPORT_PRIVATE_H
#define CK_TRANSPORT_PRIVATE_H

#include <sys/types.h>

#include "attempt.h"
#include "multi.h"
#include "policy/retry_quota.h"
#include "process.h"
#include "queue.h"

struct ck_transport {
  struct ck_multi multi;
  struct ck_sockets sockets; /* of the connections of `multi` */
  struct ck_queue queue;
  struct ck_retry_quota quota;
  CURL *template;                 /* owned; every easy handle is a duplicate of it */
  CURLU *url;                     /* owned; api_url, parsed once for all easy handles */
  char *path;                     /* owned; of api_url, without a slash at the end */
  char *proxy;                    /* owned through curl_free; without the password */
  struct ck_headers headers;      /* owned */
  struct ck_attempt *attempts;    /* owned; one for each open transfer */
  struct ck_link done;            /* attempts whose observers have not been returned */
  double deadline_at;             /* no attempt's deadline is earlier; 0 = none has one */
  bool can_keep_addresses;        /* libcurl 8 would drop them after each transfer */
  double drops_addresses_at;      /* when the next attempt drops old addresses */
  int in_progress;                /* transfers that are not done */
  pid_t process;                  /* that opened the transport */
  struct ck_transport *abandoned; /* the next in the list of those closed in a forked child */
};

static inline bool ck_transport_has_forked(const struct ck_transport *transport) {
  return transport->process != ck_process_id();
}

/* Wakes the attempts that the queue admits. Returns whether there was one. */
bool ck_transfers_admit(struct ck_transport *transport);

/* Ends the attempts that libcurl has finished. */
void ck_transfers_collect(struct ck_transport *transport);

/* Ends the attempts and the waits whose deadlines have passed. */
void ck_transfers_enforce_deadlines(struct ck_transport *transport, double now);

/* Cancels and detaches all transfers, and frees their attempts; not in a forked child. */
void ck_transfers_detach(struct ck_transport *transport);

#endif
