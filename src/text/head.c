/* Reads the head of a response, and finds out where its body ends. */
#include "head.h"

#include <limits.h>
#include <string.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool ck_head_next(const char *head, size_t length, size_t *at, struct ck_header *header) {
  while (*at < length) {
    const char *line = head + *at;
    const char *end = memchr(line, '\n', length - *at);
    if (end == NULL) end = head + length;
    *at = (size_t)(end - head) + 1;
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (colon == NULL) continue; /* the status line, the blank line, or a malformed one */
    const char *value = colon + 1;
    while (value < end && is_blank(*value)) value++;
    while (end > value && is_blank(end[-1])) end--;
    *header = (struct ck_header){ line, value, (size_t)(colon - line), (size_t)(end - value) };
    return true;
  }
  return false;
}

bool ck_head_is_named(const struct ck_header *header, const char *name) {
  return ck_ascii_is(header->name, header->name_length, name);
}

bool ck_head_find(const char *head, size_t length, const char *name, struct ck_header *header) {
  for (size_t at = 0; ck_head_next(head, length, &at, header);)
    if (ck_head_is_named(header, name)) return true;
  return false;
}

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : -1; }

int ck_head_status(const char *line, size_t length) {
  const char *end = line + length;
  const char *at = length > 5 && memcmp(line, "HTTP/", 5) == 0 ? memchr(line, ' ', length) : NULL;
  while (at != NULL && at < end && is_blank(*at)) at++; /* servers may send several */
  if (at == NULL || end - at < 3) return 0;
  int a = digit(at[0]), b = digit(at[1]), c = digit(at[2]);
  bool is_longer = end - at > 3 && digit(at[3]) >= 0;
  return a < 1 || b < 0 || c < 0 || is_longer ? 0 : 100 * a + 10 * b + c;
}

/*
** Reads a length, or a list of equal ones (RFC 9110, 8.6). libcurl ignores a length that is larger
** than it can count.
*/
static enum ck_framing length_of(const struct ck_header *header, long long *body_length) {
  const char *at = header->value, *end = at + header->value_length;
  for (bool is_first = true;; is_first = false, at++) {
    long long number = 0;
    bool is_too_large = false;
    while (at < end && is_blank(*at)) at++;
    const char *from = at;
    for (; at < end && digit(*at) >= 0; at++) {
      is_too_large = is_too_large || number > (LLONG_MAX - digit(*at)) / 10;
      if (!is_too_large) number = 10 * number + digit(*at);
    }
    if (at == from || (!is_first && number != *body_length)) return CK_FRAMING_MALFORMED;
    *body_length = number;
    while (at < end && is_blank(*at)) at++;
    if (at == end) return is_too_large ? CK_FRAMING_NONE : CK_FRAMING_LENGTH;
    if (*at != ',') return CK_FRAMING_MALFORMED;
  }
}

/* The coding "chunked" delimits the body only if it is the last one. */
static enum ck_framing codings_of(const struct ck_header *header) {
  enum ck_framing framing = CK_FRAMING_CODED;
  const char *end = header->value + header->value_length;
  for (const char *at = header->value, *comma; at < end; at = comma + 1) {
    comma = memchr(at, ',', (size_t)(end - at));
    if (comma == NULL) comma = end;
    const char *last = comma;
    while (at < last && is_blank(*at)) at++;
    while (last > at && is_blank(last[-1])) last--;
    if (at == last) continue;
    bool is_chunked = ck_ascii_is(at, (size_t)(last - at), "chunked");
    if (framing == CK_FRAMING_CHUNKED && !is_chunked) return CK_FRAMING_UNREADABLE;
    if (is_chunked) framing = CK_FRAMING_CHUNKED;
  }
  return framing;
}

enum ck_framing ck_head_framing(const char *line, size_t length, long long *body_length) {
  struct ck_header header;
  size_t at = 0;
  bool is_length = ck_head_line_is(line, length, "content-length");
  if (!is_length && !ck_head_line_is(line, length, "transfer-encoding")) return CK_FRAMING_NONE;
  if (!ck_head_next(line, length, &at, &header)) return CK_FRAMING_NONE;
  return is_length ? length_of(&header, body_length) : codings_of(&header);
}

/* Returns the byte after the string that begins at `at`; NULL if the string does not end. */
static const char *skip_string(const char *at, const char *end) {
  for (at++; at < end; at++) {
    if (*at == '"') return at + 1;
    if (*at == '\\') at++;
  }
  return NULL;
}

bool ck_head_is_closed_json(const char *body, size_t length) {
  const char *end = body + length;
  size_t depth = 0;
  bool closed = false;
  while (body < end) {
    char c = *body;
    closed = c == '"' || c == ']' || c == '}' || (closed && (is_blank(c) || c == '\n'));
    if (c == '[' || c == '{') depth++;
    if ((c == ']' || c == '}') && depth-- == 0) return false;
    body = c == '"' ? skip_string(body, end) : body + 1;
    if (body == NULL) return false;
  }
  return closed && depth == 0;
}
