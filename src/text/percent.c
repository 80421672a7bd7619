/*
** Percent-encoding (RFC 3986, 2.1) of text in the query of an address.
*/
#include "percent.h"

#include <string.h>

#include "utf8.h"

static bool is_unreserved(char c) {
  static const char others[] = "0123456789-._~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         memchr(others, c, sizeof(others) - 1) != NULL;
}

int ck_percent_code(const char *digits) {
  static const char all[] = "0123456789abcdefABCDEF";
  int code = 0;
  for (int i = 0; i < 2; i++) {
    const char *digit = digits[i] == '\0' ? NULL : strchr(all, digits[i]);
    if (digit == NULL) return -1;
    int value = (int)(digit - all);
    code = code * 16 + (value < 16 ? value : value - 6);
  }
  return code;
}

bool ck_percent_add(struct ck_buffer *buffer, const char *text, size_t length) {
  static const char digits[] = "0123456789ABCDEF";
  if (ck_utf8_valid(text, length) != length) return false;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    char encoded[] = { '%', digits[c >> 4], digits[c & 15] };
    if (is_unreserved(text[i])) ck_buffer_add_char(buffer, text[i]);
    else ck_buffer_add(buffer, encoded, sizeof(encoded));
  }
  return true;
}
