/*
** A request, from its first line to the end of its response.
*/
#ifndef CK_SANDBOX_REQUEST_H
#define CK_SANDBOX_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

enum { CK_REQUEST_MAX_BODY = 32 * 1024 * 1024 }; /* bytes; a larger body is read and dropped */

struct ck_header {
  const char *name, *value; /* libmicrohttpd's, valid as long as the request */
  size_t name_length, value_length;
};

struct ck_request {
  char *target;              /* path and query as on the wire, percent-encoded; owned */
  const char *method;        /* libmicrohttpd's; NULL until the headers have been read */
  struct ck_header *headers; /* owned */
  size_t header_count, header_capacity;
  char *body; /* owned; NULL while empty */
  size_t body_size, body_capacity;
  bool too_large;           /* the body was dropped */
  unsigned long connection; /* the number of its TCP connection: 1, 2, … */

  /* the response; valid if `has_response` */
  bool has_response;
  unsigned status;
  struct MHD_Response *response; /* owned, also after it has been queued */
  bool drop;                     /* close the connection instead */
  double due;                    /* when it may be sent, on ck_clock_now's clock; 0 = at once */

  struct MHD_Connection *suspended; /* until `due`; NULL: not suspended */
  struct ck_request *next;          /* in the list of suspended requests */
};

/* Returns a new request, or NULL without memory. */
struct ck_request *ck_request_new(const char *target);

/* Frees the request and all that it owns. NULL is a no-op. */
void ck_request_free(struct ck_request *request);

/* Appends a piece of the body. Returns false without memory. */
bool ck_request_add_body(struct ck_request *request, const char *data, size_t size);

/* Stores the headers of the connection's current request. Returns false without memory. */
bool ck_request_read_headers(struct ck_request *request, struct MHD_Connection *connection);

#endif
