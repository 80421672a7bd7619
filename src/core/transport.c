#include "transport.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ascii.h"
#include "clock.h"
#include "poller.h"
#include "proxy.h"
#include "slot.h"

enum {
  EVENTS_AT_ONCE = 32,
  READS_AT_MOST = 64 /* of a socket, before a deadline: more than its buffer holds */
};

/* ---- libcurl, once for the process ------------------------------------------------- */

static CURLcode global_code;

/*
** A look-up that hangs is a thread of libcurl's, and may outlive the Lua state that asked. With the
** state goes the module, and with that libcurl would, under the thread's feet: so it stays.
*/
static void stay_loaded(void) {
  Dl_info self;
  if (dladdr(&global_code, &self) != 0)
    (void)dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

static void init_global(void) {
  stay_loaded();
  global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool ensure_global(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  return pthread_once(&once, init_global) == 0 && global_code == CURLE_OK;
}

const char *ck_transport_version(void) { return "libcurl/" LIBCURL_VERSION; }

/* ---- the transport ------------------------------------------------------------------- */

static void wait_less(double *wait, double time, double now) {
  if (time != 0 && time - now < *wait) *wait = time - now;
}

/* How long to wait for a socket: until the first of `wait`, libcurl's timers, a deadline, a turn. */
static double time_to_wait(const struct ck_transport *transport, double wait) {
  double now = ck_clock_now(), turn = ck_gate_time_left(transport, now);
  if (ck_list_first(&transport->done) != NULL) return 0;
  wait_less(&wait, transport->lane.timer, now);
  wait_less(&wait, transport->deadline, now);
  if (turn < wait) wait = turn;
  return wait > 0 ? wait : 0;
}

int ck_transport_descriptor(const struct ck_transport *transport) { return transport->poller; }

double ck_transport_timeout(const struct ck_transport *transport) {
  double wait = time_to_wait(transport, HUGE_VAL);
  return wait < HUGE_VAL ? wait : -1;
}

/* By how much a timer may be ahead of the clock and still be due. */
static const double MOMENT = 0.001;

void ck_transport_wake_at(struct ck_transport *transport, double time) {
  if (transport->deadline == 0 || time < transport->deadline) transport->deadline = time;
}

static void act_on_deadline(struct ck_transfer_slot *slot) {
  if (slot->active) ck_slot_finish(slot, CURLE_OPERATION_TIMEDOUT);
  if (slot->asleep) ck_slot_wake(slot);
}

/* Ends what is over time. Ours, not libcurl's: its own timers cost 1,200 instructions a call. */
static void act_on_deadlines(struct ck_transport *transport, double now) {
  transport->deadline = 0;
  for (struct ck_transfer_slot *slot = transport->slots; slot != NULL; slot = slot->next) {
    if (slot->deadline <= now) act_on_deadline(slot);
    if (slot->active || slot->asleep) ck_transport_wake_at(transport, slot->deadline);
  }
}

/*
** A timer that libcurl has just set to zero is due at once; and a near server may have
** answered already, so that no event is to come any more.
*/
void ck_transport_begin(struct ck_transport *transport, const struct ck_transfer_slot *slot) {
  ck_transport_wake_at(transport, slot->deadline);
  ck_lane_act_on_timer(slot->lane, ck_clock_now() + MOMENT);
  ck_lane_collect(slot->lane);
}

static void act_on_event(struct ck_transport *transport, const struct ck_poller_event *event) {
  int flags = (event->readable ? CURL_CSELECT_IN : 0) | (event->writable ? CURL_CSELECT_OUT : 0) |
              (event->broken ? CURL_CSELECT_ERR : 0);
  ck_lane_act(&transport->lane, event->socket, flags);
}

static void act_on_lanes(struct ck_transport *transport, double now) {
  ck_lane_act_on_timer(&transport->lane, now);
  if (transport->lane.active > 0) ck_lane_collect(&transport->lane);
  ck_lane_expire(&transport->lane, now);
}

/* Returns how many sockets were ready, of which there may be more. */
static int act_on_sockets(struct ck_transport *transport, double wait) {
  struct ck_poller_event events[EVENTS_AT_ONCE];
  int count = ck_poller_wait(transport->poller, events, EVENTS_AT_ONCE, ck_clock_ms(wait));
  for (int i = 0; i < count; i++) act_on_event(transport, &events[i]);
  return count;
}

static bool is_overdue(const struct ck_transport *transport, double now) {
  return transport->deadline != 0 && transport->deadline <= now;
}

/*
** Reads all that has arrived before any deadline is enforced: the caller may have been busy, or the
** process stopped, for longer than a timeout. Bounded, for a peer may never cease to send.
*/
static void drain(struct ck_transport *transport) {
  int rounds = READS_AT_MOST * (1 + transport->busy / EVENTS_AT_ONCE);
  while (rounds-- > 0 && act_on_sockets(transport, 0) > 0)
    act_on_lanes(transport, ck_clock_now() + MOMENT);
}

bool ck_transport_step(struct ck_transport *transport, double wait) {
  bool opened = ck_gate_open(transport); /* whoever was let in may be waiting for this step */
  double most = opened ? 0 : time_to_wait(transport, wait);
  int count = act_on_sockets(transport, most);
  double now = ck_clock_now();
  act_on_lanes(transport, now);
  if (is_overdue(transport, now)) {
    drain(transport);
    act_on_deadlines(transport, now);
  }
  return opened || count > 0 || most < wait;
}

bool ck_transport_free_descriptors(struct ck_transport *transport) {
  if (transport->lane.active > 0 || !transport->lane.used) return false;
  ck_lane_close(&transport->lane);
  return true;
}

void *ck_transport_next_done(struct ck_transport *transport) {
  struct ck_link *first = ck_list_first(&transport->done);
  if (first == NULL) return NULL;
  ck_list_remove(first);
  return ((struct ck_transfer_slot *)first)->transfer->observer;
}

void ck_transport_cancel(struct ck_transport *transport) {
  for (struct ck_transfer_slot *slot = transport->slots; slot != NULL; slot = slot->next)
    ck_transfer_cancel(slot->transfer);
}

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

static bool is_https(const struct ck_transport_options *options) {
  return ck_ascii_begins(options->url, "https:");
}

/*
** To https a proxy is asked for a tunnel, and is not shown the key. To plain http it would
** be: then none is used.
*/
static bool uses_proxy(const struct ck_transport_options *options) {
  return is_https(options) && options->proxy != NULL && options->proxy[0] != '\0';
}

/* The environment has had its say. */
static bool set_proxy(CURL *easy, const struct ck_transport_options *options) {
  bool uses = uses_proxy(options);
  return SET(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE) &&
         SET(easy, CURLOPT_PROXY, uses ? options->proxy : "") &&
         set_optional(easy, CURLOPT_NOPROXY, uses ? NULL : "*");
}

/* What a person may be told of it. */
static bool name_proxy(struct ck_transport *transport, const struct ck_transport_options *options) {
  if (uses_proxy(options)) transport->proxy = ck_proxy_name(options->proxy);
  return !uses_proxy(options) || transport->proxy != NULL;
}

const char *ck_transport_proxy(const struct ck_transport *transport) { return transport->proxy; }

/* What holds for every request. A redirect is not followed: the key would go with it. */
static bool set_template(CURL *easy, const struct ck_transport_options *options) {
  return allow_http_only(easy) && SET(easy, CURLOPT_NOSIGNAL, 1L) &&
         SET(easy, CURLOPT_FOLLOWLOCATION, 0L) && SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
         ck_slot_set_template(easy) && set_optional(easy, CURLOPT_CAINFO, options->ca_file) &&
         set_optional(easy, CURLOPT_CAPATH, options->ca_path) && set_proxy(easy, options) &&
         SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
         SET(easy, CURLOPT_MAXAGE_CONN, CK_MAX_IDLE) && let_resolver_linger(easy);
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
  ck_list_init(&transport->waiting);
  ck_list_init(&transport->done);
  transport->poller = ck_poller_open();
  if (transport->poller < 0) return "no descriptor is left for the client";
  transport->template = curl_easy_init();
  transport->url = curl_url();
  if (!ck_lane_open(&transport->lane, transport) || transport->template == NULL ||
      transport->url == NULL)
    return "out of memory";
  if (!name_proxy(transport, options)) return "out of memory";
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

static void free_slots(struct ck_transport *transport, bool inherited) {
  for (struct ck_transfer_slot *slot = transport->slots, *next; slot != NULL; slot = next) {
    next = slot->next;
    ck_slot_free(slot, inherited);
  }
}

bool ck_transport_part(struct ck_transport *transport) {
  if (!ck_transport_is_inherited(transport)) return false;
  free_slots(transport, true);
  return true;
}

/*
** A clean-up would say goodbye on the parent's connections: a child lets libcurl's part be. It keeps
** sight of it, so that no tool takes it for a leak.
*/
static void leave(struct ck_transport *transport) {
  static _Atomic(struct ck_transport *) left;
  transport->left = atomic_exchange(&left, transport);
}

static void free_libcurls(struct ck_transport *transport) {
  ck_lane_close(&transport->lane);
  curl_easy_cleanup(transport->template);
}

void ck_transport_close(struct ck_transport *transport) {
  if (transport == NULL) return;
  bool inherited = ck_transport_is_inherited(transport);
  free_slots(transport, inherited);
  if (!inherited) free_libcurls(transport);
  if (transport->poller >= 0) ck_poller_close(transport->poller, inherited);
  curl_url_cleanup(transport->url);
  ck_headers_free(&transport->headers);
  free(transport->path);
  curl_free(transport->proxy);
  if (inherited) leave(transport);
  else free(transport);
}

bool ck_transport_url(struct ck_transport *transport, const struct ck_request *request,
                      struct ck_buffer *url) {
  CURLU *parts = curl_url_dup(transport->url);
  char *base = NULL;
  bool ok = parts != NULL && curl_url_set(parts, CURLUPART_PATH, "/", 0) == CURLUE_OK &&
            curl_url_get(parts, CURLUPART_URL, &base, 0) == CURLUE_OK &&
            ck_buffer_add(url, base, strlen(base) - 1) &&
            ck_buffer_add(url, request->target.data, request->target.length);
  curl_free(base);
  curl_url_cleanup(parts);
  return ok;
}
