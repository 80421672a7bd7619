/*
** Writes floats as text. Lua 5.4 would write 14 digits and Lua 5.5 up to 17, both with the locale's
** decimal separator.
*/
#include "number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ck_number_write(double value, char to[CK_NUMBER_SIZE]) {
  static const char digits[] = "-0123456789", digits_and_e[] = "0123456789e";
  char text[CK_NUMBER_SIZE];
  for (int precision = 15; precision <= 17; precision++) {
    (void)snprintf(text, sizeof(text), "%.*g", precision, value);
    if (strtod(text, NULL) == value) break;
  }
  size_t whole = strspn(text, digits), separator = strcspn(text + whole, digits_and_e);
  const char *rest = text + whole + separator;
  if (text[whole] == '\0') rest = ".0";
  (void)snprintf(to, CK_NUMBER_SIZE, "%.*s%s%s", (int)whole, text, separator > 0 ? "." : "", rest);
}
