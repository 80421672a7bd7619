/* One HTTP request, as the caller fills it in. */
#ifndef CK_REQUEST_H
#define CK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "headers.h"
#include "text/buffer.h"

/* These seldom differ from one request of a client to the next. */
struct ck_request_options {
  const char *method; /* a literal */
  bool has_body;
  bool fresh_connection;  /* not an idle one, which the server may have closed */
  bool closes_connection; /* afterwards; no other request uses it */
  bool large_response;    /* accept a compressed one, and read it into a large buffer */
  bool drops_addresses;   /* of names that were looked up more than a minute ago */
  double connect_timeout; /* seconds until the connection is ready */
};

/* Buffers and headers are owned by the transfer, and freed with it. */
struct ck_request {
  struct ck_request_options options;
  struct ck_buffer target;   /* path and query; begins with the path of api_url: append to it */
  struct ck_buffer body;     /* JSON; sent if has_body */
  struct ck_headers headers; /* for this request; if empty, the transport's are sent */
  double timeout;            /* seconds from the start to the end of the response */
  size_t max_response_bytes; /* of the body, after decompression */
  bool may_be_empty;         /* a 2xx without a body is complete, whatever its head says */
};

#endif
