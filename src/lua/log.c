#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/utf8.h"
#include "options.h"

enum { BODY_AT_MOST = 2000, URL_AT_MOST = 4000, REASON_AT_MOST = 300 }; /* bytes that are shown */

enum ck_log_level ck_log_level(struct ck_problems *problems) {
  static const struct ck_path path = { .name = "CEKURA_LOG" };
  const char *level = ck_options_environment(path.name);
  if (level == NULL) return CK_LOG_NONE;
  if (strcmp(level, "info") == 0) return CK_LOG_INFO;
  if (strcmp(level, "debug") == 0) return CK_LOG_DEBUG;
  lua_pushstring(problems->L, level);
  ck_problems_refuse(problems, &path, "\"info\" or \"debug\"");
  lua_pop(problems->L, 1);
  return CK_LOG_NONE;
}

/* ---- a line ---------------------------------------------------------------------------------- */

/* The length of the control character that begins here, two for U+0080 to U+009F; 0 if none does. */
static size_t control_length(const unsigned char *at, size_t left) {
  if (at[0] < ' ' || at[0] == 0x7f) return 1;
  return at[0] == 0xC2 && left > 1 && at[1] >= 0x80 && at[1] < 0xA0 ? 2 : 0;
}

/* Control characters, line breaks among them, as Lua writes them. */
static void add_visible(struct ck_buffer *line, const char *text, size_t length) {
  const unsigned char *bytes = (const unsigned char *)text;
  char escape[8];
  for (size_t i = 0; i < length;) {
    size_t control = control_length(bytes + i, length - i);
    if (control == 0) ck_buffer_add_char(line, text[i++]);
    for (; control > 0; control--) {
      (void)snprintf(escape, sizeof(escape), "\\%03d", bytes[i++]);
      ck_buffer_add_string(line, escape);
    }
  }
}

/* Adds a copy of the beginning of a text, without the key or the part of it that is cut off. */
static void add_text(struct ck_buffer *line, const char *text, size_t length, size_t most,
                     const struct ck_secret *key) {
  size_t shown = length > most ? ck_utf8_cut(text, length, most) : length;
  struct ck_buffer copy = CK_BUFFER(SIZE_MAX);
  if (ck_buffer_add(&copy, text, shown)) {
    ck_secret_hide(key, copy.data, copy.length, shown < length);
    add_visible(line, copy.data, copy.length);
    if (shown < length) ck_buffer_add_string(line, "…");
  }
  ck_buffer_free(&copy);
}

static void add_url(struct ck_buffer *line, struct ck_transport *transport,
                    const struct ck_request *request, const struct ck_secret *key) {
  struct ck_buffer url = CK_BUFFER(SIZE_MAX);
  if (ck_transport_url(transport, request, &url))
    add_text(line, url.data, url.length, URL_AT_MOST, key);
  ck_buffer_free(&url);
}

/* The status, or why there is none; and what kind of failure that is. */
static void add_outcome(struct ck_buffer *line, const struct ck_exchange *exchange,
                        const struct ck_secret *key) {
  const struct ck_response *response = &exchange->transfer.response;
  const char *reason = ck_answer_reason(response);
  bool failed = exchange->outcome.kind != CK_KIND_OK;
  char status[32];
  (void)snprintf(status, sizeof(status), "status %d", response->observed.status);
  if (response->observed.status != 0) ck_buffer_add_string(line, status);
  if (failed && response->observed.status < 300) {
    if (response->observed.status != 0) ck_buffer_add_string(line, ", ");
    add_text(line, reason, strlen(reason), REASON_AT_MOST, key);
  }
  if (!failed) return;
  ck_buffer_add_string(line, " (");
  ck_buffer_add_string(line, ck_kind_name(exchange->outcome.kind));
  ck_buffer_add_string(line, ")");
}

static void add_body(struct ck_buffer *line, const char *name, const struct ck_buffer *body,
                     const struct ck_secret *key) {
  if (body->length == 0) return;
  ck_buffer_add_string(line, name);
  add_text(line, body->data, body->length, BODY_AT_MOST, key);
}

/* A reader that has gone away must not end the process: SIGPIPE is taken back if this brought it. */
static void write_line(const struct ck_buffer *line) {
  sigset_t pipe, before, pending;
  int number;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  if (pthread_sigmask(SIG_BLOCK, &pipe, &before) != 0) return;
  if (write(STDERR_FILENO, line->data, line->length) < 0 && errno == EPIPE && !was_pending) {
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) == 1) (void)sigwait(&pipe, &number);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ck_log_attempt(enum ck_log_level level, struct ck_transport *transport,
                    const struct ck_exchange *exchange, const struct ck_secret *key) {
  const struct ck_request *request = &exchange->transfer.request;
  struct ck_buffer line = CK_BUFFER(SIZE_MAX);
  char attempt[80];
  (void)snprintf(attempt, sizeof(attempt), ", attempt %d, %.0f ms", exchange->attempts,
                 1000 * (ck_clock_now() - exchange->started));
  ck_buffer_add_string(&line, "cekura: ");
  ck_buffer_add_string(&line, request->options.method);
  ck_buffer_add_char(&line, ' ');
  add_url(&line, transport, request, key);
  ck_buffer_add_string(&line, ": ");
  add_outcome(&line, exchange, key);
  ck_buffer_add_string(&line, attempt);
  if (level == CK_LOG_DEBUG) {
    add_body(&line, ", request ", &request->body, key);
    add_body(&line, ", response ", &exchange->transfer.response.body, key);
  }
  ck_buffer_add_char(&line, '\n');
  if (!line.failed) write_line(&line);
  ck_buffer_free(&line);
}
