/*
** The connections of one client, over which its transfers make their attempts.
**
**   ck_transport_open ----> open ----> ck_transport_close
**                            | fork
**                            +-------> inherited, in the child
**
** An open transport is stepped until its transfers are done. In a forked child only
** ck_transport_is_inherited, ck_transport_detach_inherited and ck_transport_close are legal. A
** transport and its transfers are used by one thread at a time. The transport owns the
** connections, and the attempts of the transfers; the caller owns the transfers.
*/
#ifndef CK_TRANSPORT_H
#define CK_TRANSPORT_H

#include "transfer.h"

/* The strings are copied. For NULL, libcurl's default is used; a `proxy` of NULL means none. */
struct ck_transport_options {
  const char *url; /* has passed ck_url_problem */
  const char *ca_file;
  const char *ca_path;
  const char *proxy; /* has passed ck_proxy_problem; not used for plain http */
};

/*
** Opens a transport, which ck_transport_close frees. Returns NULL and sets `*problem` to a literal
** if there is no memory, no descriptor, or libcurl refuses an option.
*/
struct ck_transport *ck_transport_open(const struct ck_transport_options *options,
                                       const char **problem);

/*
** Cancels and detaches all transfers, closes the connections and frees the transport; NULL is a
** no-op. A forked child frees its memory only: the connections are the parent's.
*/
void ck_transport_close(struct ck_transport *transport);

/* Returns the transport's headers, which are sent with every request that has none of its own. */
struct ck_headers *ck_transport_headers(struct ck_transport *transport);

/* Appends the full URL of a request. Returns false without memory. */
bool ck_transport_url(struct ck_transport *transport, const struct ck_request *request,
                      struct ck_buffer *url);

/* Returns the proxy of the connections without its password, borrowed; NULL if there is none. */
const char *ck_transport_proxy(const struct ck_transport *transport);

/* Returns whether this process is a fork of the one that opened the transport. */
bool ck_transport_is_inherited(const struct ck_transport *transport);

/*
** Detaches all transfers of an inherited transport and leaves the parent's connections alone.
** Returns whether it is inherited. The caller checks this after it has run code of the script,
** which may have forked.
*/
bool ck_transport_detach_inherited(struct ck_transport *transport);

/*
** Waits at most `wait` seconds until there is something to do, and does it. Returns whether there
** was. Afterwards ck_transport_next_done returns the observers of the transfers that are done.
*/
bool ck_transport_step(struct ck_transport *transport, double wait);

/* Returns the observer of a transfer that is done, each once; NULL if there is none left. */
void *ck_transport_next_done(struct ck_transport *transport);

/*
** For an event loop: step the transport when the descriptor is readable, and at the latest after
** ck_transport_timeout seconds; negative = no limit. The transport owns the descriptor.
*/
int ck_transport_descriptor(const struct ck_transport *transport);
double ck_transport_timeout(const struct ck_transport *transport);

/* Cancels all transfers. */
void ck_transport_cancel(struct ck_transport *transport);

/* Returns the seconds that are left of the pause after a 429; 0 if there is none. */
double ck_transport_pause_left(const struct ck_transport *transport);

#endif
