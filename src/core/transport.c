#include "transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "head.h"
#include "poller.h"

#if LIBCURL_VERSION_NUM < 0x075000
#error "cekura needs libcurl 7.80 or newer: CURLOPT_PREREQFUNCTION counts what is sent"
#endif

#define MAX_IDLE 30L /* seconds: many servers close an idle connection after a minute */

enum {
  MAX_HEAD = 256 * 1024, /* libcurl itself stops at about 300 KiB */
  MAX_REQUEST = 64 * 1024 * 1024,
  EVENTS_AT_ONCE = 32
};

/* What a transfer needs of libcurl. It exists for as long as both it and the transport do. */
struct ck_transfer_slot {
  struct ck_transport *transport;
  struct ck_transfer *transfer;
  struct ck_transfer_slot *next, **link; /* in the transport's list; link points here */
  CURL *easy;
  double started, deadline;      /* on ck_clock_now's clock */
  struct ck_request_options set; /* what libcurl was last told, so as not to tell it again */
  const void *set_headers;
  bool active;        /* in the multi handle */
  bool asleep;        /* until the deadline */
  bool head_complete; /* the blank line has come */
  bool delimited;     /* the head tells where the body ends */
  bool failed_memory;
  char error[CURL_ERROR_SIZE];
};

struct ck_transport {
  CURLM *multi;
  CURL *template; /* every transfer's easy handle is a duplicate of it */
  CURLU *url;     /* parsed once; what a request asks for is set as CURLOPT_REQUEST_TARGET */
  char *path;     /* of the URL, without a slash at the end */
  struct ck_headers headers;
  struct ck_transfer_slot *slots;
  double timer;    /* when libcurl wants to be called, on ck_clock_now's clock; 0 = never */
  double deadline; /* no transfer's deadline is before this; 0 = none has one */
  double paused_until;
  int poller;
  pid_t owner;
};

/* ---- libcurl, once for the process ------------------------------------------------- */

static CURLcode global_code;

static void init_global(void) { global_code = curl_global_init(CURL_GLOBAL_DEFAULT); }

static bool ensure_global(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  return pthread_once(&once, init_global) == 0 && global_code == CURLE_OK;
}

const char *ck_transport_version(void) { return "libcurl/" LIBCURL_VERSION; }

/* ---- what libcurl calls: nothing here may raise, or call libcurl -------------------- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known) {
  struct ck_transport *transport = user;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    ck_poller_forget(transport->poller, socket);
    return 0;
  }
  bool read = (what & CURL_POLL_IN) != 0, write = (what & CURL_POLL_OUT) != 0;
  if (ck_poller_watch(transport->poller, socket, read, write, known != NULL) != 0) return -1;
  return known != NULL || curl_multi_assign(transport->multi, socket, transport) == CURLM_OK ? 0
                                                                                             : -1;
}

static int on_timer(CURLM *multi, long ms, void *user) {
  struct ck_transport *transport = user;
  (void)multi;
  transport->timer = ms < 0 ? 0 : ck_clock_now() + (double)ms / 1000;
  return 0;
}

/* Just before a request goes out. Sending it again is the retry engine's choice alone. */
static int on_sending(void *user, char *ip, char *local_ip, int port, int local_port) {
  struct ck_transfer_slot *slot = user;
  struct ck_attempt *attempt = &slot->transfer->answer.attempt;
  (void)ip, (void)local_ip, (void)port, (void)local_port;
  attempt->resend_refused = attempt->sendings > 0;
  if (attempt->resend_refused) return CURL_PREREQFUNC_ABORT;
  attempt->sendings++;
  return CURL_PREREQFUNC_OK;
}

/* One line of a head; a status line begins a new head, as after a 100 Continue. */
static size_t on_header(char *line, size_t unit, size_t length, void *user) {
  struct ck_transfer_slot *slot = user;
  struct ck_answer *answer = &slot->transfer->answer;
  (void)unit;
  int status = ck_head_status(line, length);
  if (status != 0) {
    answer->attempt.status = status >= 200 ? status : 0; /* an interim answer is none */
    answer->head.length = 0;
    slot->head_complete = slot->delimited = false;
  }
  if (line[0] == '\r' || line[0] == '\n') slot->head_complete = true;
  slot->delimited = slot->delimited || ck_head_delimits(line, length);
  return ck_buffer_add(&answer->head, line, length) ? length : 0;
}

static size_t on_body(char *bytes, size_t unit, size_t length, void *user) {
  struct ck_transfer_slot *slot = user;
  struct ck_answer *answer = &slot->transfer->answer;
  (void)unit;
  if (ck_buffer_add(&answer->body, bytes, length)) return length;
  answer->attempt.too_large = length > answer->body.limit - answer->body.length;
  slot->failed_memory = !answer->attempt.too_large;
  return 0;
}

/* ---- the end of an attempt ---------------------------------------------------------- */

static bool is_whole(const struct ck_transfer_slot *slot) {
  const struct ck_answer *answer = &slot->transfer->answer;
  if (answer->attempt.code != CURLE_OK || !slot->head_complete) return false;
  return slot->delimited || ck_head_is_closed_json(answer->body.data, answer->body.length);
}

/*
** On a fresh connection libcurl sends again only what an HTTP/2 server said it did not act
** on: a stream refused, or wanted over HTTP/1.1 (RFC 9113, 8.7 and 7).
*/
static bool is_not_processed(const struct ck_transfer_slot *slot) {
  const struct ck_transfer *transfer = slot->transfer;
  return transfer->answer.attempt.resend_refused && transfer->request.options.fresh_connection;
}

static const char *reason(const struct ck_transfer_slot *slot) {
  const struct ck_attempt *attempt = &slot->transfer->answer.attempt;
  if (attempt->cancelled) return "cancelled";
  if (attempt->too_large) return "the answer is larger than max_response_bytes";
  if (slot->failed_memory) return "out of memory";
  if (attempt->code == CURLE_OPERATION_TIMEDOUT) return "timed out";
  if (attempt->not_processed) return "the server refused the request before acting on it";
  if (attempt->resend_refused) return "the connection was closed before an answer came";
  if (slot->error[0] != '\0') return slot->error;
  if (attempt->code != CURLE_OK) return curl_easy_strerror((CURLcode)attempt->code);
  return "the answer was cut off";
}

static void finish(struct ck_transfer_slot *slot, CURLcode code) {
  struct ck_answer *answer = &slot->transfer->answer;
  if (slot->active) (void)curl_multi_remove_handle(slot->transport->multi, slot->easy);
  slot->active = false;
  answer->attempt.code = (int)code;
  answer->attempt.whole = is_whole(slot);
  answer->attempt.not_processed = is_not_processed(slot);
  answer->error = reason(slot);
  slot->transfer->done = true;
}

static void finish_all(struct ck_transport *transport) {
  for (struct ck_transfer_slot *slot = transport->slots; slot != NULL; slot = slot->next)
    if (slot->active) finish(slot, CURLE_ABORTED_BY_CALLBACK);
}

/* libcurl has something to do, or thinks so. A multi handle that fails fails all. */
static void act(struct ck_transport *transport, curl_socket_t socket, int flags) {
  int running;
  if (curl_multi_socket_action(transport->multi, socket, flags, &running) != CURLM_OK)
    finish_all(transport);
}

static void collect(struct ck_transport *transport) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(transport->multi, &left)) != NULL;) {
    char *slot = NULL;
    CURLcode code = message->data.result;
    if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot) == CURLE_OK)
      finish((struct ck_transfer_slot *)(void *)slot, code);
  }
}

/* ---- the transport ------------------------------------------------------------------- */

/* How long to wait for a socket: until the first of `wait`, libcurl's timer, a deadline. */
static double time_to_wait(const struct ck_transport *transport, double wait) {
  double now = ck_clock_now(), timer = transport->timer, deadline = transport->deadline;
  if (timer != 0 && timer - now < wait) wait = timer - now;
  if (deadline != 0 && deadline - now < wait) wait = deadline - now;
  return wait;
}

static void act_on_timer(struct ck_transport *transport, double now) {
  if (transport->timer == 0 || transport->timer > now) return;
  transport->timer = 0; /* libcurl sets it anew while it acts */
  act(transport, CURL_SOCKET_TIMEOUT, 0);
}

static void keep_first(double *first, double time) {
  if (*first == 0 || time < *first) *first = time;
}

static void wake(struct ck_transfer_slot *slot) {
  slot->asleep = false;
  slot->transfer->done = true;
}

static void act_on_deadline(struct ck_transfer_slot *slot) {
  if (slot->active) finish(slot, CURLE_OPERATION_TIMEDOUT);
  if (slot->asleep) wake(slot);
}

/* Ends what is over time. Ours, not libcurl's: its own timers cost 1,200 instructions a call. */
static void act_on_deadlines(struct ck_transport *transport, double now) {
  if (transport->deadline == 0 || transport->deadline > now) return;
  transport->deadline = 0;
  for (struct ck_transfer_slot *slot = transport->slots; slot != NULL; slot = slot->next) {
    if (slot->deadline <= now) act_on_deadline(slot);
    if (slot->active || slot->asleep) keep_first(&transport->deadline, slot->deadline);
  }
}

static void act_on_event(struct ck_transport *transport, const struct ck_poller_event *event) {
  int flags = (event->readable ? CURL_CSELECT_IN : 0) | (event->writable ? CURL_CSELECT_OUT : 0) |
              (event->broken ? CURL_CSELECT_ERR : 0);
  act(transport, event->socket, flags);
}

void ck_transport_step(struct ck_transport *transport, double wait) {
  struct ck_poller_event events[EVENTS_AT_ONCE];
  int ms = ck_clock_ms(time_to_wait(transport, wait));
  int count = ck_poller_wait(transport->poller, events, EVENTS_AT_ONCE, ms);
  for (int i = 0; i < count; i++) act_on_event(transport, &events[i]);
  double now = ck_clock_now();
  act_on_timer(transport, now);
  collect(transport);
  act_on_deadlines(transport, now);
}

/* A timer that libcurl sets to zero is due at once, also by a clock that was read before. */
static const double MOMENT = 0.001;

#define SET(easy, option, value) (curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

static bool set_optional(CURL *easy, CURLoption option, const char *value) {
  return value == NULL || SET(easy, option, value);
}

static bool allow_http_only(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  return SET(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

/* A look-up that hangs is left behind, so that it does not hold the call beyond its deadline. */
static bool let_resolver_linger(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075700
  return SET(easy, CURLOPT_QUICK_EXIT, 1L);
#else
  (void)easy;
  return true;
#endif
}

/*
** To https a proxy is asked for a tunnel, and is not shown the key. To plain http it would
** be: then none is used, whatever the environment says.
*/
static bool set_proxy(CURL *easy, const struct ck_transport_options *options) {
  bool https = strncasecmp(options->url, "https:", 6) == 0;
  return SET(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE) &&
         set_optional(easy, CURLOPT_PROXY, https ? options->proxy : "");
}

/* What holds for every request. A redirect is not followed: the key would go with it. */
static bool set_template(CURL *easy, const struct ck_transport_options *options) {
  return allow_http_only(easy) && SET(easy, CURLOPT_NOSIGNAL, 1L) &&
         SET(easy, CURLOPT_FOLLOWLOCATION, 0L) && SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
         SET(easy, CURLOPT_WRITEFUNCTION, on_body) &&
         SET(easy, CURLOPT_HEADERFUNCTION, on_header) &&
         SET(easy, CURLOPT_PREREQFUNCTION, on_sending) &&
         set_optional(easy, CURLOPT_CAINFO, options->ca_file) &&
         set_optional(easy, CURLOPT_CAPATH, options->ca_path) && set_proxy(easy, options) &&
         SET(easy, CURLOPT_MAXAGE_CONN, MAX_IDLE) && let_resolver_linger(easy);
}

static bool set_multi(struct ck_transport *transport) {
  CURLM *multi = transport->multi;
  return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
         curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport) == CURLM_OK;
}

/* The path that every request's own path is appended to. */
static bool set_url(struct ck_transport *transport, const char *url) {
  char *path = NULL;
  if (curl_url_set(transport->url, CURLUPART_URL, url, 0) != CURLUE_OK) return false;
  if (curl_url_get(transport->url, CURLUPART_PATH, &path, 0) != CURLUE_OK) return false;
  size_t length = strlen(path);
  while (length > 0 && path[length - 1] == '/') length--;
  transport->path = strndup(path, length);
  curl_free(path);
  return transport->path != NULL;
}

static const char *fill(struct ck_transport *transport,
                        const struct ck_transport_options *options) {
  transport->owner = getpid();
  transport->poller = ck_poller_open();
  if (transport->poller < 0) return "no descriptor is left for the client";
  transport->multi = curl_multi_init();
  transport->template = curl_easy_init();
  transport->url = curl_url();
  if (transport->multi == NULL || transport->template == NULL || transport->url == NULL ||
      !set_multi(transport))
    return "out of memory";
  if (!set_url(transport, options->url)) return "libcurl refuses api_url";
  return set_template(transport->template, options) ? NULL : "libcurl refuses one of the options";
}

struct ck_transport *ck_transport_open(const struct ck_transport_options *options,
                                       const char **problem) {
  struct ck_transport *transport = ensure_global() ? calloc(1, sizeof(*transport)) : NULL;
  *problem = transport == NULL ? "libcurl does not start: out of memory" : fill(transport, options);
  if (*problem == NULL) return transport;
  ck_transport_close(transport);
  return NULL;
}

bool ck_transport_is_inherited(const struct ck_transport *transport) {
  return transport->owner != getpid();
}

struct ck_headers *ck_transport_headers(struct ck_transport *transport) {
  return &transport->headers;
}

static void free_slot(struct ck_transfer_slot *slot, bool inherited) {
  if (!inherited) ck_transfer_cancel(slot->transfer);
  *slot->link = slot->next;
  if (slot->next != NULL) slot->next->link = slot->link;
  slot->transfer->slot = NULL;
  slot->transfer->done = true;
  if (!inherited) curl_easy_cleanup(slot->easy);
  free(slot);
}

void ck_transport_close(struct ck_transport *transport) {
  if (transport == NULL) return;
  bool inherited = ck_transport_is_inherited(transport);
  for (struct ck_transfer_slot *slot = transport->slots, *next; slot != NULL; slot = next) {
    next = slot->next;
    free_slot(slot, inherited);
  }
  if (!inherited) {
    /* A clean-up would say goodbye on the parent's connections: a child lets them be. */
    (void)curl_multi_cleanup(transport->multi);
    curl_easy_cleanup(transport->template);
  }
  if (transport->poller >= 0) (void)close(transport->poller);
  curl_url_cleanup(transport->url);
  ck_headers_free(&transport->headers);
  free(transport->path);
  free(transport);
}

bool ck_transport_url(struct ck_transport *transport, const struct ck_request *request,
                      struct ck_buffer *url) {
  CURLU *parts = curl_url_dup(transport->url);
  char *base = NULL;
  bool ok = parts != NULL && curl_url_set(parts, CURLUPART_PATH, "/", 0) == CURLUE_OK &&
            curl_url_get(parts, CURLUPART_URL, &base, 0) == CURLUE_OK &&
            ck_buffer_add(url, base, strlen(base) - 1) &&
            ck_buffer_add(url, request->path.data, request->path.length);
  if (ok && request->query.length > 0)
    ok = ck_buffer_add_char(url, '?') &&
         ck_buffer_add(url, request->query.data, request->query.length);
  curl_free(base);
  curl_url_cleanup(parts);
  return ok;
}

/* ---- transfers ------------------------------------------------------------------------ */

static bool set_slot(struct ck_transfer_slot *slot) {
  CURL *easy = slot->easy;
  return SET(easy, CURLOPT_CURLU, slot->transport->url) && SET(easy, CURLOPT_PRIVATE, slot) &&
         SET(easy, CURLOPT_ERRORBUFFER, slot->error) && SET(easy, CURLOPT_WRITEDATA, slot) &&
         SET(easy, CURLOPT_HEADERDATA, slot) && SET(easy, CURLOPT_PREREQDATA, slot);
}

bool ck_transfer_open(struct ck_transfer *transfer, struct ck_transport *transport) {
  struct ck_transfer_slot *slot = calloc(1, sizeof(*slot));
  if (slot == NULL) return false;
  *slot = (struct ck_transfer_slot){ .transport = transport, .transfer = transfer };
  slot->next = transport->slots;
  slot->link = &transport->slots;
  if (slot->next != NULL) slot->next->link = &slot->next;
  transport->slots = slot;
  transfer->slot = slot;
  slot->easy = curl_easy_duphandle(transport->template);
  ck_transfer_reset(transfer);
  if (slot->easy != NULL && set_slot(slot)) return true;
  free_slot(slot, false);
  return false;
}

void ck_transfer_reset(struct ck_transfer *transfer) {
  struct ck_request *request = &transfer->request;
  request->path.limit = request->query.limit = request->body.limit = MAX_REQUEST;
  transfer->answer.head.limit = MAX_HEAD;
  ck_buffer_reset(&request->path);
  ck_buffer_add_string(&request->path, transfer->slot->transport->path);
  ck_buffer_reset(&request->query);
  ck_buffer_reset(&request->body);
  ck_buffer_reset(&transfer->answer.head);
  ck_buffer_reset(&transfer->answer.body);
  ck_headers_free(&request->headers);
  transfer->done = true;
}

/* The path, and the query behind it. */
static bool set_target(CURL *easy, struct ck_request *request) {
  struct ck_buffer *path = &request->path;
  if (request->query.length > 0) {
    ck_buffer_add_char(path, '?');
    ck_buffer_add(path, request->query.data, request->query.length);
  }
  return ck_buffer_terminate(path) && SET(easy, CURLOPT_REQUEST_TARGET, path->data);
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
  void *headers = own->list != NULL ? own->list : slot->transport->headers.list;
  if (slot->set_headers == headers && own->list == NULL) return true;
  slot->set_headers = headers;
  return SET(slot->easy, CURLOPT_HTTPHEADER, headers);
}

#define HTTP1    ((long)CURL_HTTP_VERSION_1_1)
#define ANY_HTTP ((long)CURL_HTTP_VERSION_NONE)

/* What seldom differs from one request of a client to the next is only set when it does. */
static bool set_options(struct ck_transfer_slot *slot, const struct ck_request_options *request) {
  struct ck_request_options *set = &slot->set;
  CURL *easy = slot->easy;
  bool ok = true;
  if (set->method != request->method || set->has_body != request->has_body)
    ok = set_method(easy, request) && ok;
  if (set->fresh_connection != request->fresh_connection)
    ok = SET(easy, CURLOPT_FRESH_CONNECT, request->fresh_connection ? 1L : 0L) && ok;
  if (set->http1 != request->http1)
    ok = SET(easy, CURLOPT_HTTP_VERSION, request->http1 ? HTTP1 : ANY_HTTP) && ok;
  if (set->compressed != request->compressed)
    ok = SET(easy, CURLOPT_ACCEPT_ENCODING, request->compressed ? "" : NULL) && ok;
  if (set->connect_timeout != request->connect_timeout)
    ok = SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ck_clock_ms(request->connect_timeout)) && ok;
  *set = ok ? *request : (struct ck_request_options){ 0 };
  return ok;
}

static bool prepare(struct ck_transfer_slot *slot) {
  struct ck_request *request = &slot->transfer->request;
  return set_target(slot->easy, request) && set_headers(slot, request) &&
         set_options(slot, &request->options) && set_body(slot->easy, request);
}

static void clear_answer(struct ck_transfer_slot *slot) {
  struct ck_answer *answer = &slot->transfer->answer;
  answer->attempt = (struct ck_attempt){ 0 };
  answer->body.limit = slot->transfer->request.max_response_bytes;
  ck_buffer_reset(&answer->head);
  ck_buffer_reset(&answer->body);
  slot->head_complete = slot->delimited = slot->failed_memory = false;
  slot->error[0] = '\0';
  slot->started = ck_clock_now();
  slot->deadline = slot->started + slot->transfer->request.timeout;
  slot->transfer->done = false;
}

void ck_transfer_start(struct ck_transfer *transfer) {
  struct ck_transfer_slot *slot = transfer->slot;
  clear_answer(slot);
  if (!prepare(slot)) {
    finish(slot, CURLE_OUT_OF_MEMORY);
    return;
  }
  slot->active = true; /* before libcurl sees it, so that every way out takes it back */
  if (curl_multi_add_handle(slot->transport->multi, slot->easy) != CURLM_OK)
    finish(slot, CURLE_FAILED_INIT);
  keep_first(&slot->transport->deadline, slot->deadline);
  act_on_timer(slot->transport, slot->started + MOMENT);
  collect(slot->transport); /* a near server may have answered already */
}

void ck_transfer_sleep(struct ck_transfer *transfer, double seconds) {
  struct ck_transfer_slot *slot = transfer->slot;
  slot->asleep = true;
  transfer->done = false;
  slot->deadline = ck_clock_now() + seconds;
  keep_first(&slot->transport->deadline, slot->deadline);
}

void ck_transfer_cancel(struct ck_transfer *transfer) {
  struct ck_transfer_slot *slot = transfer->slot;
  transfer->answer.attempt.cancelled = true;
  if (slot == NULL) return;
  if (slot->active) finish(slot, CURLE_ABORTED_BY_CALLBACK);
  if (slot->asleep) wake(slot);
}

void ck_transport_pause(struct ck_transfer_slot *slot, double seconds) {
  double until = ck_clock_now() + seconds;
  if (until > slot->transport->paused_until) slot->transport->paused_until = until;
}

double ck_transport_pause_left(const struct ck_transfer_slot *slot) {
  if (slot->transport->paused_until == 0) return 0; /* nearly always */
  return slot->transport->paused_until - ck_clock_now();
}

void ck_transfer_close(struct ck_transfer *transfer) {
  struct ck_transfer_slot *slot = transfer->slot;
  if (slot != NULL) free_slot(slot, ck_transport_is_inherited(slot->transport));
  ck_buffer_free(&transfer->request.path);
  ck_buffer_free(&transfer->request.query);
  ck_buffer_free(&transfer->request.body);
  ck_buffer_free(&transfer->answer.head);
  ck_buffer_free(&transfer->answer.body);
  ck_headers_free(&transfer->request.headers);
}
