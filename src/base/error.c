/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Copies what fits; never cuts a UTF-8 character in two. */
static void copy_text(char *to, size_t size, const char *from) {
  size_t length = from ? strlen(from) : 0;
  if (length >= size) {
    length = size - 1;
    while (length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80) length--;
  }
  if (length) memcpy(to, from, length);
  to[length] = '\0';
}

rsm_status rsm__fail(rsm_error *reterr, rsm_status status, const char *subject, const char *detail, ...) {
  if (!reterr) return status;
  rsm_error error = {.status = status};
  copy_text(error.subject, sizeof error.subject, subject);
  if (detail) {
    va_list args;
    va_start(args, detail);
    vsnprintf(error.detail, sizeof error.detail, detail, args);
    va_end(args);
  }
  *reterr = error;
  return status;
}

rsm_status rsm__fail_call(rsm_error *reterr, rsm_status status, const char *call, int os_code, const char *os_text,
                          const char *subject) {
  if (!reterr) return status;
  rsm_error error = {.status = status, .os_code = os_code, .call = call};
  copy_text(error.subject, sizeof error.subject, subject);
  copy_text(error.os_text, sizeof error.os_text, os_text);
  *reterr = error;
  return status;
}

rsm_status rsm__fail_memory(rsm_error *reterr) {
  return rsm__fail(reterr, RSM_OUT_OF_MEMORY, NULL, NULL);
}

void rsm__error_explain(rsm_error *error, const char *words, ...) {
  if (!error) return;
  char before[sizeof error->detail];
  copy_text(before, sizeof before, error->detail);
  va_list args;
  va_start(args, words);
  int length = vsnprintf(error->detail, sizeof error->detail, words, args);
  va_end(args);
  if (length < 0 || !before[0] || (size_t)length + 3 >= sizeof error->detail) return;
  error->detail[length] = ':';
  error->detail[length + 1] = ' ';
  copy_text(error->detail + length + 2, sizeof error->detail - (size_t)length - 2, before);
}

const char *rsm_error_format(const rsm_error *error, char *buf, size_t size) {
  const char *words = error->detail[0] ? error->detail : rsm_status_message(error->status);
  const char *quote = error->subject[0] ? "'" : "";
  const char *colon = error->subject[0] ? ": " : "";
  char system[160] = "";
  if (error->call) {
    if (error->os_text[0])
      snprintf(system, sizeof system, " (%.48s: %.90s)", error->call, error->os_text);
    else
      snprintf(system, sizeof system, " (%.48s: %d)", error->call, error->os_code);
  }
  snprintf(buf, size, "%s%s%s%s%s%s", words, colon, quote, error->subject, quote, system);
  return buf;
}
