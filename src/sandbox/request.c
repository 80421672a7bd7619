/*
** A request as it arrives: its target, headers and body.
*/
#include "request.h"

#include <stdlib.h>
#include <string.h>

struct ck_request *ck_request_new(const char *target) {
  struct ck_request *request = calloc(1, sizeof *request);
  if (request == NULL) return NULL;
  request->target = strdup(target);
  if (request->target != NULL) return request;
  free(request);
  return NULL;
}

void ck_request_free(struct ck_request *request) {
  if (request == NULL) return;
  if (request->response != NULL) MHD_destroy_response(request->response);
  free(request->headers);
  free(request->body);
  free(request->target);
  free(request);
}

bool ck_request_add_body(struct ck_request *request, const char *data, size_t size) {
  if (request->too_large) return true;
  if (size > CK_REQUEST_MAX_BODY - request->body_size) {
    free(request->body);
    request->body = NULL;
    request->body_size = request->body_capacity = 0;
    request->too_large = true;
    return true;
  }
  size_t needed = request->body_size + size;
  if (needed > request->body_capacity) {
    size_t capacity = needed < 256 ? 256 : needed * 2;
    char *body = realloc(request->body, capacity);
    if (body == NULL) return false;
    request->body = body;
    request->body_capacity = capacity;
  }
  memcpy(request->body + request->body_size, data, size);
  request->body_size = needed;
  return true;
}

/* libmicrohttpd's iterator: MHD_NO ends the walk. */
static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                  size_t name_length, const char *value, size_t value_length) {
  struct ck_request *request = cls;
  (void)kind;
  if (request->header_count == request->header_capacity) {
    size_t capacity = request->header_capacity ? 2 * request->header_capacity : 16;
    struct ck_header *headers = realloc(request->headers, capacity * sizeof *headers);
    if (headers == NULL) return MHD_NO;
    request->headers = headers;
    request->header_capacity = capacity;
  }
  request->headers[request->header_count++] =
      (struct ck_header){ name, value ? value : "", name_length, value_length };
  return MHD_YES;
}

bool ck_request_read_headers(struct ck_request *request, struct MHD_Connection *connection) {
  int seen = MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_header, request);
  return seen >= 0 && (size_t)seen == request->header_count;
}
