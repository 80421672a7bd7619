/* Reads the head of a response, and finds out where its body ends. */
#include "head.h"

#include <string.h>

#include "ascii.h"

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
  return a < 1 || b < 0 || c < 0 ? 0 : 100 * a + 10 * b + c;
}

/* libcurl ignores a length that is larger than it can count. */
static bool is_length(const struct ck_header *header) {
  enum { MAX_DIGITS = 18 };
  size_t digits = 0;
  while (digits < header->value_length && digit(header->value[digits]) >= 0) digits++;
  return digits > 0 && digits <= MAX_DIGITS && digits == header->value_length;
}

/* The coding "chunked" delimits the body only if it is the last one. */
static bool is_chunked(const struct ck_header *header) {
  static const char coding[] = "chunked";
  size_t length = strlen(coding), before = header->value_length - length;
  if (header->value_length < length) return false;
  const char *last = header->value + before;
  return ck_ascii_is(last, length, coding) &&
         (before == 0 || last[-1] == ',' || is_blank(last[-1]));
}

bool ck_head_delimits(const char *line, size_t length) {
  struct ck_header header;
  size_t at = 0;
  if (length == 0 || strchr("cCtT", line[0]) == NULL) return false; /* most lines */
  if (!ck_head_next(line, length, &at, &header)) return false;
  if (ck_head_is_named(&header, "content-length")) return is_length(&header);
  return ck_head_is_named(&header, "transfer-encoding") && is_chunked(&header);
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
