/*
** libcurl's half of a transfer: the options of an easy handle, and the callbacks that record what
** it reports. The callbacks append to bounded buffers and call no Lua.
*/
#include "attempt.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "text/head.h"

/* ---- callbacks ------------------------------------------------------------------------------ */

/*
** Opens a socket. libcurl's own function does not report why it failed. Refuses one after the
** request was sent, because libcurl would send it again: see on_sending.
*/
static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  struct ck_attempt *attempt = user;
  struct ck_observation *observed = &attempt->transfer->response.observed;
  (void)purpose;
  observed->resend_refused = observed->times_sent > 0;
  if (observed->resend_refused) return CURL_SOCKET_BAD;
  int opened =
      ck_sockets_open(attempt->sockets, address->family, address->socktype, address->protocol);
  attempt->connects = true;
  if (opened < 0 && (errno == EMFILE || errno == ENFILE)) /* another address may have a socket */
    observed->lacks_descriptor = true;
  return opened < 0 ? CURL_SOCKET_BAD : opened;
}

/* The attempt that opened the socket may have been freed. */
static int on_close(void *user, curl_socket_t socket) { return ck_sockets_close(user, socket); }

/*
** Runs just before each sending, and counts it. Aborts a second one: libcurl repeats a request on
** its own if its connection had been used before, and ended without a byte of a response. Aborts a
** first one after the deadline, which passes unnoticed while the caller is busy; and one on an
** idle connection that is stale, because libcurl checks that too rarely.
*/
static int on_sending(void *user, char *ip, char *local_ip, int port, int local_port) {
  struct ck_attempt *attempt = user;
  struct ck_observation *observed = &attempt->transfer->response.observed;
  (void)ip, (void)local_ip, (void)port;
  observed->resend_refused = observed->times_sent > 0;
  if (observed->resend_refused) return CURL_PREREQFUNC_ABORT;
  double now = ck_clock_now();
  attempt->late = attempt->deadline_at <= now;
  if (attempt->late) return CURL_PREREQFUNC_ABORT;
  if (attempt->connects) ck_sockets_note_connected(attempt->sockets, local_port);
  else attempt->stale = ck_sockets_is_stale(attempt->sockets, local_port, now);
  if (attempt->stale) return CURL_PREREQFUNC_ABORT;
  observed->times_sent++;
  return CURL_PREREQFUNC_OK;
}

/*
** Returns whether the line begins a head. A line after the head, or in a trailer, may look like a
** status line, but is not one.
*/
static bool begins_head(const struct ck_attempt *attempt) {
  const struct ck_response *response = &attempt->transfer->response;
  bool after_interim = attempt->head_complete && response->observed.status == 0;
  return response->head.length == 0 || after_interim;
}

/* A carriage return is legal only at the end of a line. */
static bool has_bare_cr(const char *line, size_t length) {
  const char *cr = memchr(line, '\r', length);
  return cr != NULL && cr + 2 < line + length;
}

/* An interim response does not count. */
static void begin_head(struct ck_attempt *attempt, const char *line, size_t length) {
  struct ck_response *response = &attempt->transfer->response;
  int status = has_bare_cr(line, length) ? 0 : ck_head_status(line, length);
  response->observed.status = status >= 200 ? status : 0;
  response->observed.deprecated = false;
  response->head.length = 0;
  attempt->head_complete = false;
  attempt->coding = CK_FRAMING_NONE;
  attempt->length = -1;
  attempt->malformed = status == 0;
}

/* Returns whether the body can be read. */
static bool note_line(struct ck_attempt *attempt, const char *line, size_t length) {
  long long stated;
  if (ck_head_line_is(line, length, "deprecation") || ck_head_line_is(line, length, "sunset"))
    attempt->transfer->response.observed.deprecated = true;
  enum ck_framing framing = ck_head_framing(line, length, &stated);
  attempt->malformed = framing == CK_FRAMING_MALFORMED || has_bare_cr(line, length);
  if (framing == CK_FRAMING_LENGTH) {
    if (attempt->length >= 0 && attempt->length != stated) attempt->malformed = true;
    attempt->length = stated;
  } else if (framing == CK_FRAMING_CHUNKED || framing == CK_FRAMING_CODED) {
    if (attempt->coding == CK_FRAMING_CHUNKED && framing == CK_FRAMING_CODED) return false;
    attempt->coding = framing;
  }
  return !attempt->malformed && framing != CK_FRAMING_UNREADABLE;
}

/* A line that begins with a blank continues the last header (RFC 9112, 5.2). */
static bool is_continuation(const char *line) { return line[0] == ' ' || line[0] == '\t'; }

/* Returns whether the last line is a header: not the status line, and not one of a trailer. */
static bool is_after_header(const struct ck_attempt *attempt) {
  const struct ck_buffer *head = &attempt->transfer->response.head;
  const char *status_ends = memchr(head->data, '\n', head->length);
  return !attempt->head_complete && status_ends != head->data + head->length - 1;
}

/* Joins a continuation to the line before it. */
static bool add_line(struct ck_buffer *head, const char *line, size_t length) {
  if (is_continuation(line))
    while (head->length > 0 && strchr("\r\n", head->data[head->length - 1]) != NULL) head->length--;
  return ck_buffer_add(head, line, length);
}

/* Counts a line of the heads or of the trailer. The limits of libcurl's versions are larger. */
static bool fits(struct ck_attempt *attempt, size_t length) {
  enum { MAX_LINES = 4096 };
  attempt->head_bytes += length;
  attempt->head_lines++;
  return attempt->head_bytes <= attempt->transfer->response.head.limit &&
         attempt->head_lines <= MAX_LINES;
}

/* A 205 has no body (RFC 9110, 15.3.6), but libcurl waits for one. */
static bool is_bodiless_205(const struct ck_attempt *attempt) {
  int status = attempt->transfer->response.observed.status;
  return status == 205 && attempt->head_complete && attempt->length < 0 &&
         attempt->coding != CK_FRAMING_CHUNKED;
}

static size_t on_header(char *line, size_t unit, size_t length, void *user) {
  struct ck_attempt *attempt = user;
  struct ck_buffer *head = &attempt->transfer->response.head;
  bool is_readable = true;
  (void)unit;
  head->failed = head->failed || !fits(attempt, length);
  if (begins_head(attempt)) begin_head(attempt, line, length);
  else if (line[0] == '\r' || line[0] == '\n') attempt->head_complete = true;
  else if (is_continuation(line) && !is_after_header(attempt)) attempt->malformed = true;
  else if (!attempt->head_complete) is_readable = note_line(attempt, line, length);
  bool is_added = add_line(head, line, length);
  return is_added && is_readable && !attempt->malformed && !is_bodiless_205(attempt) ? length : 0;
}

/* A longer body grows the buffer as it arrives: the server may have stated a wrong length. */
static void reserve_body(struct ck_attempt *attempt) {
  enum { MOST = 4 * 1024 * 1024 }; /* bytes */
  struct ck_buffer *body = &attempt->transfer->response.body;
  if (attempt->length <= 0 || attempt->length > MOST) return;
  if ((size_t)attempt->length <= body->limit)
    (void)ck_buffer_reserve(body, (size_t)attempt->length);
}

static size_t on_body(char *bytes, size_t unit, size_t length, void *user) {
  struct ck_attempt *attempt = user;
  struct ck_response *response = &attempt->transfer->response;
  (void)unit;
  if (response->body.length == 0) reserve_body(attempt);
  if (ck_buffer_add(&response->body, bytes, length)) return length;
  response->observed.too_large = length > response->body.limit - response->body.length;
  response->observed.lacks_memory = !response->observed.too_large;
  return 0;
}

/* ---- the easy handle ------------------------------------------------------------------------ */

bool ck_attempt_set_template(CURL *easy, struct ck_sockets *sockets) {
  return CK_SET(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) &&
         CK_SET(easy, CURLOPT_CLOSESOCKETDATA, sockets) &&
         CK_SET(easy, CURLOPT_WRITEFUNCTION, on_body) &&
         CK_SET(easy, CURLOPT_HEADERFUNCTION, on_header) &&
         CK_SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) &&
         CK_SET(easy, CURLOPT_PREREQFUNCTION, on_sending);
}

bool ck_attempt_open(struct ck_attempt *attempt, CURL *template, CURLU *url) {
  CURL *easy = attempt->easy = curl_easy_duphandle(template);
  return easy != NULL && CK_SET(easy, CURLOPT_CURLU, url) &&
         CK_SET(easy, CURLOPT_PRIVATE, attempt) &&
         CK_SET(easy, CURLOPT_ERRORBUFFER, attempt->transfer->response.detail) &&
         CK_SET(easy, CURLOPT_WRITEDATA, attempt) && CK_SET(easy, CURLOPT_HEADERDATA, attempt) &&
         CK_SET(easy, CURLOPT_PREREQDATA, attempt) && CK_SET(easy, CURLOPT_OPENSOCKETDATA, attempt);
}

static bool set_headers(struct ck_attempt *attempt, const struct ck_headers *common) {
  const struct ck_request *request = &attempt->transfer->request;
  bool has_own = request->headers.list != NULL;
  void *headers = ck_headers_of(has_own ? &request->headers : common, request->options.has_body);
  if (attempt->set_headers == headers && !has_own) return true;
  attempt->set_headers = headers;
  return CK_SET(attempt->easy, CURLOPT_HTTPHEADER, headers);
}

static bool set_method(CURL *easy, const struct ck_request_options *options) {
  const char *implied = options->has_body ? "POST" : "GET";
  const char *method = strcmp(options->method, implied) == 0 ? NULL : options->method;
  return CK_SET(easy, CURLOPT_CUSTOMREQUEST, method) &&
         (options->has_body ? CK_SET(easy, CURLOPT_POST, 1L) : CK_SET(easy, CURLOPT_HTTPGET, 1L));
}

/*
** libcurl 7.88 has a buffer for each transfer: small ones save 6 MiB for 1,024 of them. Its
** default is 16 KiB; more does not make large responses faster. 7.88 refuses to change the size
** after a lookup that failed, because it keeps the buffer. Then the size is harmless.
*/
static bool set_size(CURL *easy, bool large_response) {
  (void)CK_SET(easy, CURLOPT_BUFFERSIZE, large_response ? 16 * 1024L : 2 * 1024L);
  return CK_SET(easy, CURLOPT_ACCEPT_ENCODING, large_response ? "" : NULL);
}

/* Sets only the options that differ from the last request's, unless some were not accepted. */
static bool set_options(struct ck_attempt *attempt) {
  const struct ck_request_options *new = &attempt->transfer->request.options, *old = &attempt->set;
  CURL *easy = attempt->easy;
  bool all = !attempt->is_set, ok = true;
  if (all || old->method != new->method || old->has_body != new->has_body)
    ok = set_method(easy, new) && ok;
  if (all || old->fresh_connection != new->fresh_connection)
    ok = CK_SET(easy, CURLOPT_FRESH_CONNECT, new->fresh_connection ? 1L : 0L) && ok;
  if (all || old->closes_connection != new->closes_connection)
    ok = CK_SET(easy, CURLOPT_FORBID_REUSE, new->closes_connection ? 1L : 0L) && ok;
  if (all || old->large_response != new->large_response)
    ok = set_size(easy, new->large_response) && ok;
  if (all || old->drops_addresses != new->drops_addresses)
    ok = CK_SET(easy, CURLOPT_DNS_CACHE_TIMEOUT, new->drops_addresses ? 60L : -1L) && ok;
  if (all || old->connect_timeout != new->connect_timeout)
    ok = CK_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ck_clock_ms(new->connect_timeout)) && ok;
  attempt->set = *new;
  attempt->is_set = ok;
  return ok;
}

bool ck_attempt_prepare(struct ck_attempt *attempt, const struct ck_headers *headers) {
  struct ck_request *request = &attempt->transfer->request;
  CURL *easy = attempt->easy;
  if (!ck_buffer_terminate(&request->target) ||
      !CK_SET(easy, CURLOPT_REQUEST_TARGET, request->target.data) ||
      !set_headers(attempt, headers) || !set_options(attempt))
    return false;
  if (!request->options.has_body) return true;
  return ck_buffer_terminate(&request->body) &&
         CK_SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length) &&
         CK_SET(easy, CURLOPT_POSTFIELDS, request->body.data);
}

/* ---- the end -------------------------------------------------------------------------------- */

void ck_attempt_reset(struct ck_attempt *attempt) {
  struct ck_response *response = &attempt->transfer->response;
  response->observed = (struct ck_observation){ 0 };
  response->detail[0] = '\0';
  ck_buffer_reset(&response->head);
  ck_buffer_reset(&response->body);
  attempt->length = -1;
  attempt->head_bytes = 0;
  attempt->head_lines = 0;
  attempt->coding = CK_FRAMING_NONE;
  attempt->head_complete = attempt->malformed = attempt->late = false;
  attempt->connects = attempt->stale = false;
}

/* Returns the bytes of the body that arrived. A truncated compressed body may decode to nothing. */
static long long received(CURL *easy) {
  curl_off_t bytes = -1;
  return curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes) == CURLE_OK ? bytes : -1;
}

/*
** Returns whether all of the body arrived before the connection broke. Over TLS, libcurl 8 reports
** an end without close_notify like a reset. If no header delimits the body, it ends with the
** connection, and a truncated one looks the same unless its JSON is closed.
*/
static bool was_whole_before_break(const struct ck_attempt *attempt) {
  const struct ck_buffer *body = &attempt->transfer->response.body;
  if (attempt->coding == CK_FRAMING_CHUNKED) return false;
  if (attempt->coding == CK_FRAMING_NONE && attempt->length >= 0)
    return received(attempt->easy) == attempt->length;
  return ck_head_is_closed_json(body->data, body->length);
}

static bool is_whole(const struct ck_attempt *attempt, CURLcode code) {
  const struct ck_response *response = &attempt->transfer->response;
  int status = response->observed.status;
  bool is_delimited = attempt->coding == CK_FRAMING_CHUNKED || attempt->length >= 0 ||
                      status == 204 || status == 205 || status == 304;
  if (is_bodiless_205(attempt)) return true;
  if (!attempt->head_complete) return false;
  if (code == CURLE_RECV_ERROR) return was_whole_before_break(attempt);
  if (code != CURLE_OK) return false;
  if (response->body.length == 0)
    return received(attempt->easy) == 0 &&
           (is_delimited || attempt->transfer->request.may_be_empty);
  return is_delimited || ck_head_is_closed_json(response->body.data, response->body.length);
}

/*
** Returns the code for what the callbacks have seen, because libcurl's own differs between its
** versions. It is CURLE_OK if the connection ends in a head. 7.88 reports a line above its limit as
** a lack of memory.
*/
static CURLcode code_of(struct ck_attempt *attempt, CURLcode code) {
  enum { TOO_LARGE = 100 }; /* CURLE_TOO_LARGE of libcurl 8.6 */
  struct ck_response *response = &attempt->transfer->response;
  bool is_in_head = attempt->head_lines > 0 && !attempt->head_complete;
  if (attempt->late) return CURLE_OPERATION_TIMEDOUT;
  if (attempt->malformed) return CURLE_WEIRD_SERVER_REPLY;
  if ((int)code == TOO_LARGE) code = CURLE_OUT_OF_MEMORY;
  if (is_in_head && code == CURLE_OUT_OF_MEMORY) response->head.failed = true;
  if (response->head.failed) return CURLE_WRITE_ERROR;
  return code == CURLE_OK && response->observed.status == 0 ? CURLE_GOT_NOTHING : code;
}

void ck_attempt_conclude(struct ck_attempt *attempt, CURLcode code) {
  struct ck_observation *observed = &attempt->transfer->response.observed;
  observed->code = (int)code_of(attempt, code);
  observed->whole = is_whole(attempt, code);
}
