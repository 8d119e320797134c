/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of the first length bytes those that hold whole UTF-8 characters: without a last one whose rest was cut off. */
static size_t whole(const char *text, size_t length) {
  size_t start = length;
  while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) start--;
  if (start == 0) return length;
  unsigned char lead = (unsigned char)text[--start];
  size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return length - start < needed ? start : length;
}

/* After a printf into text that would have written `wanted` bytes. */
static void mend_end(char *text, size_t size, int wanted) {
  if (wanted >= 0 && (size_t)wanted >= size) text[whole(text, size - 1)] = '\0';
}

/* Copies what fits; never cuts a UTF-8 character in two. */
static void copy_text(char *to, size_t size, const char *from) {
  size_t length = from ? strlen(from) : 0;
  if (length >= size) length = whole(from, size - 1);
  if (length) memcpy(to, from, length);
  to[length] = '\0';
}

void rsm__error_fill(rsm_error *reterr, rsm_status status, const char *subject, const char *detail, ...) {
  if (!reterr) return;
  rsm_error error = {.status = status};
  copy_text(error.subject, sizeof error.subject, subject);
  if (detail) {
    va_list args;
    va_start(args, detail);
    mend_end(error.detail, sizeof error.detail, vsnprintf(error.detail, sizeof error.detail, detail, args));
    va_end(args);
  }
  *reterr = error;
}

void rsm__error_fill_call(rsm_error *reterr, rsm_status status, const char *call, int os_code, const char *os_text,
                          const char *subject) {
  if (!reterr) return;
  rsm_error error = {.status = status, .os_code = os_code, .call = call};
  copy_text(error.subject, sizeof error.subject, subject);
  copy_text(error.os_text, sizeof error.os_text, os_text);
  *reterr = error;
}

void rsm__error_explain(rsm_error *error, const char *words, ...) {
  if (!error) return;
  char before[sizeof error->detail];
  copy_text(before, sizeof before, error->detail);
  va_list args;
  va_start(args, words);
  int length = vsnprintf(error->detail, sizeof error->detail, words, args);
  va_end(args);
  mend_end(error->detail, sizeof error->detail, length);
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
      snprintf(system, sizeof system, " (%.48s: %s)", error->call, error->os_text);
    else
      snprintf(system, sizeof system, " (%.48s: %d)", error->call, error->os_code);
  }
  int wanted = snprintf(buf, size, "%s%s%s%s%s%s", words, colon, quote, error->subject, quote, system);
  mend_end(buf, size, wanted);
  return buf;
}
