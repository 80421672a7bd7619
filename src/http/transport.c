/*
** The transport of a client: opens and closes it, waits for its sockets, and sets the options of
** every request.
*/
#include "transport.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "libcurl.h"
#include "proxy.h"
#include "text/ascii.h"
#include "text/wipe.h"
#include "transport_private.h"

/* ---- libcurl, once for the process ---------------------------------------------------------- */

static CURLcode global_code;

/*
** A hanging lookup is a thread of libcurl's that may outlive the Lua state. The module is
** therefore never unloaded: libcurl would be unloaded with it while that thread runs.
*/
static void init_global(void) {
  Dl_info self;
  if (dladdr(&global_code, &self) != 0)
    (void)dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  ck_process_init();
  global_code = ck_libcurl_init();
}

/* ---- the options of every request ----------------------------------------------------------- */

static bool set_optional(CURL *easy, CURLoption option, const char *value) {
  return value == NULL || CK_SET(easy, option, value);
}

/* Returns whether libcurl would read both a file and a folder of the system's authorities. */
static bool has_spare_folder(void) {
  const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
  return built->capath != NULL && built->cainfo != NULL && access(built->cainfo, R_OK) == 0;
}

/*
** Trusts the authorities that the caller names and no others, or else those of the system's file.
** libcurl 7.87 and newer parse a file once for all connections, but not if there is a folder, too.
** Libraries of TLS that cannot read folders refuse even NULL.
*/
static bool set_authorities(CURL *easy, const struct ck_transport_options *options) {
  const char *file = options->ca_file, *folder = options->ca_path;
  if (file != NULL || folder != NULL)
    return CK_SET(easy, CURLOPT_CAINFO, file) &&
           (CK_SET(easy, CURLOPT_CAPATH, folder) || folder == NULL);
  return !has_spare_folder() ||
         (CK_SET(easy, CURLOPT_CAPATH, NULL) && CK_SET(easy, CURLOPT_PROXY_CAPATH, NULL));
}

/* A proxy tunnels https. It would see the key over plain http, so that none is used then. */
static const char *proxy_of(const struct ck_transport_options *options) {
  bool is_used = ck_ascii_begins(options->url, "https:") && options->proxy != NULL;
  return is_used ? options->proxy : "";
}

/* The variables of the environment have been read by the caller: libcurl must not read them. */
static bool set_proxy(CURL *easy, const char *proxy) {
  return CK_SET(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE) &&
         CK_SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) && CK_SET(easy, CURLOPT_PROXY, proxy) &&
         set_optional(easy, CURLOPT_NOPROXY, proxy[0] != '\0' ? NULL : "*");
}

static bool set_protocols(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
  bool ok = CK_SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  bool ok = CK_SET(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
  return ok && CK_SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

/* libcurl 8 has such a buffer for each body, and libcurl.c overwrites it when it is released. */
#define UPLOAD_BUFFER (16 * 1024L) /* the least that libcurl accepts; its default is 64 KiB */

/* Redirects are not followed, because the key would be sent to another server. */
static bool set_template(struct ck_transport *transport,
                         const struct ck_transport_options *options) {
  CURL *easy = transport->template;
#if LIBCURL_VERSION_NUM >= 0x075700
  /* A clean-up does not wait for a hanging lookup, which would exceed the call's deadline. */
  if (!CK_SET(easy, CURLOPT_QUICK_EXIT, 1L)) return false;
#endif
  return ck_attempt_set_template(easy, &transport->sockets) && set_protocols(easy) &&
         CK_SET(easy, CURLOPT_TRANSFER_ENCODING, ck_headers_codings_are_requested() ? 1L : 0L) &&
         CK_SET(easy, CURLOPT_NOSIGNAL, 1L) && CK_SET(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
         CK_SET(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER) &&
         CK_SET(easy, CURLOPT_MAXAGE_CONN, CK_MULTI_MAX_IDLE) && set_authorities(easy, options) &&
         set_proxy(easy, proxy_of(options));
}

/* ---- open and close ------------------------------------------------------------------------- */

/* Stores the path of api_url, to which the paths of the requests are appended. */
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

/* Returns NULL, or what failed: a literal. */
static const char *fill(struct ck_transport *transport,
                        const struct ck_transport_options *options) {
  const char *proxy = proxy_of(options);
  transport->process = ck_process_id();
  transport->can_keep_addresses = !ck_libcurl_is_8();
  ck_queue_init(&transport->queue);
  ck_list_init(&transport->done);
  bool ok = ck_sockets_init(&transport->sockets);
  ok = ck_multi_open(&transport->multi, &transport->sockets) && ok;
  if (!ok && ck_multi_lacks_descriptors(&transport->multi))
    return "no descriptor is left for the client";
  transport->template = curl_easy_init();
  transport->url = curl_url();
  if (proxy[0] != '\0') transport->proxy = ck_proxy_name(proxy);
  if (!ok || transport->template == NULL || transport->url == NULL ||
      (proxy[0] != '\0' && transport->proxy == NULL))
    return "out of memory";
  if (!set_url(transport, options->url)) return "libcurl refuses api_url";
  return set_template(transport, options) ? NULL : "libcurl refuses one of the options";
}

struct ck_transport *ck_transport_open(const struct ck_transport_options *options,
                                       const char **problem) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  bool started = pthread_once(&once, init_global) == 0 && global_code == CURLE_OK;
  struct ck_transport *transport = started ? calloc(1, sizeof(*transport)) : NULL;
  *problem = transport == NULL ? "libcurl does not start: out of memory" : fill(transport, options);
  if (*problem == NULL) return transport;
  ck_transport_close(transport);
  return NULL;
}

/*
** Cleaning up libcurl's handles would send a close_notify on the parent's connections. A forked
** child leaves them as they are, in a list, so that no tool reports a leak.
*/
static void abandon(struct ck_transport *transport) {
  static _Atomic(struct ck_transport *) last;
  transport->abandoned = atomic_exchange(&last, transport);
}

void ck_transport_close(struct ck_transport *transport) {
  if (transport == NULL) return;
  bool inherited = ck_transport_has_forked(transport);
  ck_transfers_detach(transport);
  ck_multi_close(&transport->multi, inherited);
  if (!inherited) curl_easy_cleanup(transport->template);
  ck_sockets_free(&transport->sockets, inherited);
  curl_url_cleanup(transport->url);
  ck_headers_free(&transport->headers);
  free(transport->path);
  curl_free(transport->proxy);
  if (inherited) abandon(transport);
  else free(transport);
  ck_wipe_stack();
}

bool ck_transport_is_inherited(const struct ck_transport *transport) {
  return ck_transport_has_forked(transport);
}

bool ck_transport_detach_inherited(struct ck_transport *transport) {
  if (!ck_transport_has_forked(transport)) return false;
  ck_transfers_detach(transport);
  return true;
}

struct ck_headers *ck_transport_headers(struct ck_transport *transport) {
  return &transport->headers;
}

const char *ck_transport_proxy(const struct ck_transport *transport) { return transport->proxy; }

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

/* ---- one step ------------------------------------------------------------------------------- */

/*
** Returns the seconds until the first of these: `wait`, libcurl's timer, a deadline, an admission.
*/
static double time_to_wait(const struct ck_transport *transport, double wait) {
  double now = ck_clock_now(), admission = ck_queue_time_left(&transport->queue, now);
  double timer = ck_multi_timer(&transport->multi), deadline_at = transport->deadline_at;
  if (ck_list_first(&transport->done) != NULL) return 0;
  if (ck_sockets_has_event(&transport->sockets)) return 0;
  if (timer != 0 && timer - now < wait) wait = timer - now;
  if (deadline_at != 0 && deadline_at - now < wait) wait = deadline_at - now;
  if (admission < wait) wait = admission;
  return wait > 0 ? wait : 0;
}

int ck_transport_descriptor(const struct ck_transport *transport) {
  return transport->sockets.poller;
}

double ck_transport_timeout(const struct ck_transport *transport) {
  double wait = time_to_wait(transport, HUGE_VAL);
  return wait < HUGE_VAL ? wait : -1;
}

/*
** Reads everything that has arrived before a deadline is enforced: the caller may have been busy,
** or the process stopped, for longer than a timeout. The number of reads is bounded, because a peer
** may never cease to send.
*/
static void drain(struct ck_transport *transport) {
  enum { MOST_READS = 64 }; /* for one socket; they empty its buffer */
  int reads = MOST_READS * (1 + transport->in_progress / CK_POLLER_MAX_EVENTS);
  while (reads-- > 0 && ck_multi_wait(&transport->multi, 0) > 0) {
    ck_multi_act_on_timer(&transport->multi, ck_clock_now() + CK_MULTI_TOLERANCE);
    ck_transfers_collect(transport);
  }
}

bool ck_transport_step(struct ck_transport *transport, double wait) {
  bool admitted = ck_transfers_admit(transport); /* their calls may wait for this step */
  double most = admitted ? 0 : time_to_wait(transport, wait);
  int count = ck_multi_wait(&transport->multi, most);
  double now = ck_clock_now();
  ck_multi_act_on_timer(&transport->multi, now);
  ck_transfers_collect(transport);
  ck_multi_disconnect_expired(&transport->multi, now);
  if (transport->deadline_at != 0 && transport->deadline_at <= now) {
    drain(transport);
    ck_transfers_enforce_deadlines(transport, now);
  }
  return admitted || count > 0 || most < wait;
}

void *ck_transport_next_done(struct ck_transport *transport) {
  struct ck_link *first = ck_list_first(&transport->done);
  if (first == NULL) return NULL;
  ck_list_remove(first);
  return ((struct ck_attempt *)first)->transfer->observer;
}

void ck_transport_cancel(struct ck_transport *transport) {
  for (struct ck_attempt *attempt = transport->attempts; attempt != NULL; attempt = attempt->next)
    ck_transfer_cancel(attempt->transfer);
}

double ck_transport_pause_left(const struct ck_transport *transport) {
  return ck_queue_pause_left(&transport->queue);
}
