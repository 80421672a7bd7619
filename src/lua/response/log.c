/*
** The log: one line per attempt on stderr, as CEKURA_LOG specifies. It works without Lua, so that
** it cannot raise.
*/
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http/clock.h"
#include "http/reason.h"
#include "http/transport.h"
#include "lua/request/options.h"
#include "text/utf8.h"

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

/* ---- a line -------------------------------------------------------------------------------- */

struct line {
  struct ck_buffer text;
  const struct ck_secret *key;
};

/*
** Returns the length of the control character at `at`, 2 for U+0080 to U+009F; 0 for other
** characters.
*/
static size_t control_length(const unsigned char *at, size_t left) {
  if (at[0] < ' ' || at[0] == 0x7f) return 1;
  return at[0] == 0xC2 && left > 1 && at[1] >= 0x80 && at[1] < 0xA0 ? 2 : 0;
}

/* Control characters, line breaks among them, are written as Lua writes them. */
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

/* Adds the beginning of a text, redacted in a copy: a request's text may be sent again. */
static void add_text(struct line *line, const char *text, size_t length, size_t most) {
  size_t shown = length > most ? ck_utf8_cut(text, length, most) : length;
  struct ck_buffer copy = CK_BUFFER(SIZE_MAX);
  if (ck_buffer_add(&copy, text, shown)) {
    ck_secret_hide(line->key, copy.data, copy.length, shown < length);
    add_visible(&line->text, copy.data, copy.length);
    if (shown < length) ck_buffer_add_string(&line->text, "…");
  }
  ck_buffer_free(&copy);
}

static void add_url(struct line *line, struct ck_transport *transport,
                    const struct ck_request *request) {
  struct ck_buffer url = CK_BUFFER(SIZE_MAX);
  if (ck_transport_url(transport, request, &url)) add_text(line, url.data, url.length, URL_AT_MOST);
  ck_buffer_free(&url);
}

/* Adds the status, or the reason why there is none, and the kind of a failure. */
static void add_outcome(struct line *line, const struct ck_exchange *exchange) {
  const struct ck_response *response = &exchange->transfer.response;
  int status = response->observed.status;
  char text[32];
  (void)snprintf(text, sizeof(text), "status %d", status);
  if (status != 0) ck_buffer_add_string(&line->text, text);
  if (exchange->outcome.kind == CK_KIND_OK) return;
  if (status < 300) {
    const char *detail = ck_reason_detail(response);
    if (status != 0) ck_buffer_add_string(&line->text, ", ");
    ck_buffer_add_string(&line->text, ck_reason_of(response));
    if (detail != NULL) {
      ck_buffer_add_string(&line->text, ": ");
      add_text(line, detail, strlen(detail), REASON_AT_MOST);
    }
  }
  ck_buffer_add_string(&line->text, " (");
  ck_buffer_add_string(&line->text, ck_kind_name(exchange->outcome.kind));
  ck_buffer_add_string(&line->text, ")");
}

static void add_body(struct line *line, const char *name, const struct ck_buffer *body) {
  if (body->length == 0) return;
  ck_buffer_add_string(&line->text, name);
  add_text(line, body->data, body->length, BODY_AT_MOST);
}

/*
** SIGPIPE is blocked and, if this write raised it, consumed: a closed stderr must not end the
** process.
*/
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
  struct line line = { CK_BUFFER(SIZE_MAX), key };
  char attempt[80];
  (void)snprintf(attempt, sizeof(attempt), ", attempt %d, %.0f ms", exchange->attempts,
                 1000 * (ck_clock_now() - exchange->started));
  ck_buffer_add_string(&line.text, "cekura: ");
  ck_buffer_add_string(&line.text, request->options.method);
  ck_buffer_add_char(&line.text, ' ');
  add_url(&line, transport, request);
  ck_buffer_add_string(&line.text, ": ");
  add_outcome(&line, exchange);
  ck_buffer_add_string(&line.text, attempt);
  if (exchange->transfer.response.observed.deprecated)
    ck_buffer_add_string(&line.text, ", deprecated");
  if (level == CK_LOG_DEBUG) {
    add_body(&line, ", request ", &request->body);
    add_body(&line, ", response ", &exchange->transfer.response.body);
  }
  ck_buffer_add_char(&line.text, '\n');
  if (!line.text.failed) write_line(&line.text);
  ck_buffer_free(&line.text);
}
