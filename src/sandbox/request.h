/* One request, from its first line to the end of its answer. */
#ifndef CK_SANDBOX_REQUEST_H
#define CK_SANDBOX_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

enum { CK_REQUEST_MAX_BODY = 32 * 1024 * 1024 }; /* bytes; what is beyond is read and forgotten */

struct ck_header {
  const char *name, *value; /* libmicrohttpd's, as long as the request lives */
  size_t name_length, value_length;
};

struct ck_request {
  char *target;              /* path and query as they were on the wire, percent-encoded; owned */
  const char *method;        /* libmicrohttpd's; NULL until the headers have been read */
  struct ck_header *headers; /* owned */
  size_t header_count, header_capacity;
  char *body; /* owned; NULL while empty */
  size_t body_size, body_capacity;
  bool too_large;           /* the body was, and is not kept */
  unsigned long connection; /* which TCP connection it came over: 1, 2, … */

  /* the answer, once `answered` */
  bool answered;
  unsigned status;
  struct MHD_Response *response; /* owned, also after it has been queued */
  bool drop;                     /* close the connection instead */
  double due;                    /* ck_clock_now() from which on it may be sent; 0 = at once */

  struct MHD_Connection *waiting; /* suspended until `due` */
  struct ck_request *next;        /* in the list of those that wait */
};

/* NULL where memory has run out. */
struct ck_request *ck_request_new(const char *target);
void ck_request_free(struct ck_request *request);

/* Both return false where memory has run out. */
bool ck_request_add_body(struct ck_request *request, const char *data, size_t size);
bool ck_request_read_headers(struct ck_request *request, struct MHD_Connection *connection);

#endif
