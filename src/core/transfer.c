#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "head.h"
#include "slot.h"

enum {
  MAX_HEAD = 256 * 1024, /* libcurl itself stops at about 300 KiB */
  MAX_REQUEST = 64 * 1024 * 1024
};

/* ---- what libcurl calls: nothing here may raise ----------------------------------------- */

/* A process may run without its standard streams: what others write to them must not go out here. */
static int above_streams(int opened) {
  if (opened < 0 || opened > STDERR_FILENO) return opened;
  int moved = fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  (void)close(opened);
  return moved;
}

static int open_socket(int family, int type, int protocol) {
#ifdef SOCK_CLOEXEC
  return socket(family, type | SOCK_CLOEXEC, protocol);
#else
  int opened = socket(family, type, protocol);
  if (opened >= 0) (void)fcntl(opened, F_SETFD, FD_CLOEXEC);
  return opened;
#endif
}

/*
** Not libcurl's own way: it leaves the socket to programs that the caller's starts meanwhile, which
** keep the connection open, and does not say why there is none.
*/
static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  struct ck_transfer_slot *slot = user;
  (void)purpose;
  int opened = above_streams(open_socket(address->family, address->socktype, address->protocol));
  slot->transfer->response.observed.lacks_descriptor =
      opened < 0 && (errno == EMFILE || errno == ENFILE);
  return opened < 0 ? CURL_SOCKET_BAD : opened;
}

/*
** Just before a request goes out. Sending it again is the retry engine's choice alone; and one that
** nobody would wait for any more, since the caller was busy, is not sent at all.
*/
static int on_sending(void *user, char *ip, char *local_ip, int port, int local_port) {
  struct ck_transfer_slot *slot = user;
  struct ck_observation *attempt = &slot->transfer->response.observed;
  (void)ip, (void)local_ip, (void)port, (void)local_port;
  attempt->resend_refused = attempt->times_sent > 0;
  if (attempt->resend_refused) return CURL_PREREQFUNC_ABORT;
  slot->late = slot->deadline <= ck_clock_now();
  if (slot->late) return CURL_PREREQFUNC_ABORT;
  attempt->times_sent++;
  return CURL_PREREQFUNC_OK;
}

/* The first line of a head. A line behind it, or of a trailer, may look like one and is none. */
static bool begins_head(const struct ck_transfer_slot *slot) {
  const struct ck_response *response = &slot->transfer->response;
  return response->head.length == 0 || (slot->head_complete && response->observed.status == 0);
}

/* A status line begins a new head, as after a 100 Continue. */
static void begin_head(struct ck_transfer_slot *slot, int status) {
  struct ck_response *response = &slot->transfer->response;
  response->observed.status = status >= 200 ? status : 0; /* an interim answer is none */
  response->head.length = 0;
  slot->head_complete = slot->has_length = false;
  slot->delimited = status == 204 || status == 205 || status == 304;
}

/*
** Whether libcurl would wait for the end of the connection, where there is none to wait for: of
** these it does not know that a 205 has no body (RFC 9110, 15.3.6).
*/
static bool is_all(const struct ck_transfer_slot *slot) {
  return slot->head_complete && !slot->has_length &&
         slot->transfer->response.observed.status == 205;
}

/* One line of a head. */
static size_t on_header(char *line, size_t unit, size_t length, void *user) {
  struct ck_transfer_slot *slot = user;
  (void)unit;
  if (begins_head(slot)) begin_head(slot, ck_head_status(line, length));
  else if (line[0] == '\r' || line[0] == '\n') slot->head_complete = true;
  else if (ck_head_delimits(line, length)) slot->delimited = slot->has_length = true;
  bool added = ck_buffer_add(&slot->transfer->response.head, line, length);
  return added && !is_all(slot) ? length : 0;
}

static size_t on_body(char *bytes, size_t unit, size_t length, void *user) {
  struct ck_transfer_slot *slot = user;
  struct ck_response *response = &slot->transfer->response;
  (void)unit;
  if (ck_buffer_add(&response->body, bytes, length)) return length;
  response->observed.too_large = length > response->body.limit - response->body.length;
  response->observed.lacks_memory = !response->observed.too_large;
  return 0;
}

bool ck_slot_set_template(CURL *easy) {
  return SET(easy, CURLOPT_WRITEFUNCTION, on_body) &&
         SET(easy, CURLOPT_HEADERFUNCTION, on_header) &&
         SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) &&
         SET(easy, CURLOPT_PREREQFUNCTION, on_sending);
}

/* ---- the end of an attempt ---------------------------------------------------------- */

/* The answer stands: whoever waits for it stands in line to be told. */
static void report(struct ck_transfer_slot *slot) {
  if (!slot->transfer->done && --slot->transport->busy == 0) slot->transport->deadline = 0;
  slot->transfer->done = true;
  if (slot->transfer->observer != NULL) ck_list_insert(&slot->transport->done, &slot->line);
}

void ck_transfer_notify(struct ck_transfer *transfer, void *observer) {
  transfer->observer = observer;
  if (transfer->slot != NULL && transfer->done) ck_list_remove(&transfer->slot->line);
}

/* It is no longer done: something new begins. */
static void unreport(struct ck_transfer_slot *slot) {
  if (slot->transfer->done) slot->transport->busy++;
  slot->transfer->done = false;
  ck_list_remove(&slot->line);
}

/* What has arrived may be the beginning of a coded body, and decoded to nothing. */
static bool has_received_body(const struct ck_transfer_slot *slot) {
  curl_off_t received = 0;
  return curl_easy_getinfo(slot->easy, CURLINFO_SIZE_DOWNLOAD_T, &received) != CURLE_OK ||
         received > 0;
}

static bool is_whole(const struct ck_transfer_slot *slot) {
  const struct ck_response *response = &slot->transfer->response;
  if (is_all(slot)) return true;
  if (response->observed.code != CURLE_OK || !slot->head_complete) return false;
  if (response->body.length == 0)
    return !has_received_body(slot) && (slot->delimited || slot->transfer->request.may_be_empty);
  return slot->delimited || ck_head_is_closed_json(response->body.data, response->body.length);
}

const char *ck_answer_reason(const struct ck_response *response) {
  const struct ck_observation *attempt = &response->observed;
  if (attempt->cancelled) return "cancelled";
  if (attempt->paused)
    return "the server's rate limit would keep the call waiting beyond its deadline";
  if (attempt->too_large) return "the answer is larger than max_response_bytes";
  if (attempt->lacks_memory) return "out of memory";
  if (attempt->lacks_descriptor) return "no descriptor is left for a connection";
  if (attempt->code == CURLE_OPERATION_TIMEDOUT) return "timed out";
  if (response->head.failed) return "the answer's head is larger than 256 KiB";
  if (attempt->code == CURLE_WRITE_ERROR || attempt->code == CURLE_BAD_CONTENT_ENCODING)
    return "the answer's coding is broken, or other bytes follow it";
  if (attempt->resend_refused) return "the connection was closed before an answer came";
  if (response->detail[0] != '\0') return response->detail;
  if (attempt->code != CURLE_OK) return curl_easy_strerror((CURLcode)attempt->code);
  return "the answer was cut off";
}

const char *ck_answer_advice(const struct ck_response *response) {
  if (response->observed.status != 0) return NULL;
  switch (response->observed.code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return "check ca_file or CEKURA_CA_FILE";
    case CURLE_SSL_CONNECT_ERROR:
      return "does the server speak TLS? For plain http, api_url begins with http://";
    case CURLE_UNSUPPORTED_PROTOCOL:
      return "does the server speak http? For TLS, api_url begins with https://";
    default: return NULL;
  }
}

static void reset_answer(struct ck_response *response) {
  response->observed = (struct ck_observation){ 0 };
  response->detail[0] = '\0';
  ck_buffer_reset(&response->head);
  ck_buffer_reset(&response->body);
}

/* It counts as active before libcurl sees it, so that every way out takes it back. */
static bool enter_lane(struct ck_transfer_slot *slot) {
  slot->lane = &slot->transport->lane;
  slot->lane->active++;
  slot->lane->closes_at = 0;
  slot->active = true;
  return ck_lane_open(slot->lane, slot->transport) &&
         curl_multi_add_handle(slot->lane->multi, slot->easy) == CURLM_OK;
}

static void leave_lane(struct ck_transfer_slot *slot) {
  if (!slot->active) return;
  (void)curl_multi_remove_handle(slot->lane->multi, slot->easy);
  slot->lane->active--;
  slot->active = false;
}

/* What libcurl says where there is no descriptor for a socket, or for a file that it reads. */
static bool may_lack_descriptor(CURLcode code) {
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CACERT_BADFILE;
}

static bool lacks_descriptor(const struct ck_transfer_slot *slot) {
  int copy = fcntl(slot->transport->poller, F_DUPFD_CLOEXEC, 0);
  if (copy >= 0) (void)close(copy);
  return copy < 0;
}

/*
** Begins the attempt anew, of which nothing was sent, if connections that are idle held the
** descriptor that it lacked.
*/
static bool begins_anew(struct ck_transfer_slot *slot, CURLcode code) {
  struct ck_response *response = &slot->transfer->response;
  if (!may_lack_descriptor(code) || response->observed.times_sent > 0) return false;
  if (!lacks_descriptor(slot) || !ck_transport_free_descriptors(slot->transport)) return false;
  reset_answer(response);
  if (enter_lane(slot)) return true;
  leave_lane(slot);
  return false;
}

void ck_slot_finish(struct ck_transfer_slot *slot, CURLcode code) {
  struct ck_response *response = &slot->transfer->response;
  leave_lane(slot);
  if (begins_anew(slot, code)) return;
  if (response->observed.times_sent > 0) slot->lane->used = true;
  response->observed.code = slot->late ? CURLE_OPERATION_TIMEDOUT : (int)code;
  response->observed.whole = is_whole(slot);
  report(slot);
  ck_gate_leave(slot);
}

void ck_slot_wake(struct ck_transfer_slot *slot) {
  slot->asleep = false;
  ck_list_remove(&slot->line);
  report(slot);
}

/* ---- the slot -------------------------------------------------------------------------- */

static bool set_slot(struct ck_transfer_slot *slot) {
  CURL *easy = slot->easy;
  return SET(easy, CURLOPT_CURLU, slot->transport->url) && SET(easy, CURLOPT_PRIVATE, slot) &&
         SET(easy, CURLOPT_ERRORBUFFER, slot->transfer->response.detail) &&
         SET(easy, CURLOPT_WRITEDATA, slot) && SET(easy, CURLOPT_HEADERDATA, slot) &&
         SET(easy, CURLOPT_PREREQDATA, slot) && SET(easy, CURLOPT_OPENSOCKETDATA, slot);
}

/* The headers hold the key, and the transfer may live on for as long as it pleases Lua. */
static void detach(struct ck_transfer_slot *slot) {
  struct ck_transfer *transfer = slot->transfer;
  ck_headers_free(&transfer->request.headers);
  ck_list_remove(&slot->line);
  slot->transfer = NULL;
  transfer->slot = NULL;
  transfer->done = transfer->response.observed.cancelled = true;
}

void ck_slot_free(struct ck_transfer_slot *slot, bool inherited) {
  if (slot->transfer == NULL) return; /* inherited, and left already */
  if (inherited) {
    detach(slot);
    return;
  }
  ck_transfer_cancel(slot->transfer);
  curl_easy_cleanup(slot->easy); /* before the headers that it refers to */
  detach(slot);
  *slot->link = slot->next;
  if (slot->next != NULL) slot->next->link = slot->link;
  free(slot);
}

bool ck_transfer_open(struct ck_transfer *transfer, struct ck_transport *transport) {
  struct ck_transfer_slot *slot = calloc(1, sizeof(*slot));
  if (slot == NULL) return false;
  *slot = (struct ck_transfer_slot){ .transport = transport, .transfer = transfer };
  ck_list_init(&slot->line);
  slot->next = transport->slots;
  slot->link = &transport->slots;
  if (slot->next != NULL) slot->next->link = &slot->next;
  transport->slots = slot;
  transfer->slot = slot;
  slot->easy = curl_easy_duphandle(transport->template);
  ck_transfer_reset(transfer);
  if (slot->easy != NULL && set_slot(slot)) return true;
  ck_slot_free(slot, false);
  return false;
}

void ck_transfer_reset(struct ck_transfer *transfer) {
  struct ck_request *request = &transfer->request;
  request->target.limit = request->body.limit = MAX_REQUEST;
  transfer->response.head.limit = MAX_HEAD;
  ck_buffer_reset(&request->target);
  ck_buffer_add_string(&request->target, transfer->slot->transport->path);
  ck_buffer_reset(&request->body);
  reset_answer(&transfer->response);
  ck_headers_free(&request->headers);
  ck_list_remove(&transfer->slot->line);
  transfer->observer = NULL;
  transfer->done = true;
}

/* ---- the request ------------------------------------------------------------------------ */

static bool set_target(CURL *easy, struct ck_request *request) {
  return ck_buffer_terminate(&request->target) &&
         SET(easy, CURLOPT_REQUEST_TARGET, request->target.data);
}

static bool set_method(CURL *easy, const struct ck_request_options *request) {
  const char *own = request->has_body ? "POST" : "GET"; /* what libcurl would say by itself */
  const char *method = strcmp(request->method, own) == 0 ? NULL : request->method;
  return SET(easy, CURLOPT_CUSTOMREQUEST, method) &&
         (request->has_body ? SET(easy, CURLOPT_POST, 1L) : SET(easy, CURLOPT_HTTPGET, 1L));
}

static bool set_body(CURL *easy, struct ck_request *request) {
  if (!request->options.has_body) return true;
  return ck_buffer_terminate(&request->body) &&
         SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length) &&
         SET(easy, CURLOPT_POSTFIELDS, request->body.data);
}

static bool set_headers(struct ck_transfer_slot *slot, const struct ck_request *request) {
  const struct ck_headers *own = &request->headers;
  const struct ck_headers *chosen = own->list != NULL ? own : &slot->transport->headers;
  void *headers = ck_headers_of(chosen, request->options.has_body);
  if (slot->set_headers == headers && own->list == NULL) return true;
  slot->set_headers = headers;
  return SET(slot->easy, CURLOPT_HTTPHEADER, headers);
}

/*
** What seldom differs from one request of a client to the next is only set when it does, or when
** some of it could not be set the last time.
*/
static bool set_options(struct ck_transfer_slot *slot, const struct ck_request_options *request) {
  const struct ck_request_options *set = &slot->set;
  CURL *easy = slot->easy;
  bool all = !slot->knows_set, ok = true;
  if (all || set->method != request->method || set->has_body != request->has_body)
    ok = set_method(easy, request) && ok;
  if (all || set->fresh_connection != request->fresh_connection)
    ok = SET(easy, CURLOPT_FRESH_CONNECT, request->fresh_connection ? 1L : 0L) && ok;
  if (all || set->compressed != request->compressed)
    ok = SET(easy, CURLOPT_ACCEPT_ENCODING, request->compressed ? "" : NULL) && ok;
  if (all || set->connect_timeout != request->connect_timeout)
    ok = SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ck_clock_ms(request->connect_timeout)) && ok;
  slot->set = *request;
  slot->knows_set = ok;
  return ok;
}

static bool prepare(struct ck_transfer_slot *slot) {
  struct ck_request *request = &slot->transfer->request;
  return set_target(slot->easy, request) && set_headers(slot, request) &&
         set_options(slot, &request->options) && set_body(slot->easy, request);
}

/* ---- an attempt -------------------------------------------------------------------------- */

static void clear_answer(struct ck_transfer_slot *slot) {
  struct ck_response *response = &slot->transfer->response;
  response->body.limit = slot->transfer->request.max_response_bytes;
  reset_answer(response);
  slot->head_complete = slot->delimited = slot->has_length = slot->late = false;
  slot->deadline = ck_clock_now() + slot->transfer->request.timeout;
  unreport(slot);
}

void ck_transfer_start(struct ck_transfer *transfer) {
  struct ck_transfer_slot *slot = transfer->slot;
  clear_answer(slot);
  if (!prepare(slot)) {
    ck_slot_finish(slot, CURLE_OUT_OF_MEMORY);
    return;
  }
  if (!enter_lane(slot)) ck_slot_finish(slot, CURLE_FAILED_INIT);
  ck_transport_begin(slot->transport, slot);
}

void ck_transfer_sleep(struct ck_transfer *transfer, double seconds) {
  struct ck_transfer_slot *slot = transfer->slot;
  slot->asleep = true;
  unreport(slot);
  slot->deadline = ck_clock_now() + seconds;
  ck_transport_wake_at(slot->transport, slot->deadline);
}

void ck_transfer_cancel(struct ck_transfer *transfer) {
  struct ck_transfer_slot *slot = transfer->slot;
  transfer->response.observed.cancelled = true;
  if (slot == NULL) return;
  if (slot->active) ck_slot_finish(slot, CURLE_ABORTED_BY_CALLBACK);
  if (slot->asleep) ck_slot_wake(slot);
  ck_gate_leave(slot);
}

void ck_transfer_close(struct ck_transfer *transfer) {
  struct ck_transfer_slot *slot = transfer->slot;
  if (slot != NULL) ck_slot_free(slot, ck_transport_is_inherited(slot->transport));
  ck_buffer_free(&transfer->request.target);
  ck_buffer_free(&transfer->request.body);
  ck_buffer_free(&transfer->response.head);
  ck_buffer_free(&transfer->response.body);
  ck_headers_free(&transfer->request.headers);
}
