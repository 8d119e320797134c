/* error.h: filling a caller's rsm_error. Never allocates.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BASE_ERROR_H
#define RSM_BASE_ERROR_H

#include "rsm.h"

/* C's own formats everywhere (%zu, %lld): to gcc for Windows "printf" would mean what an old C runtime knows. */
#if defined(__GNUC__) && !defined(__clang__)
#define RSM_PRINTF(text, first) __attribute__((__format__(__gnu_printf__, text, first)))
#elif defined(__clang__)
#define RSM_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define RSM_PRINTF(text, first)
#endif

/* Fills *reterr (NULL: nothing to fill) and gives status. detail: printf format, what is wrong and what to do; NULL:
 * the status' own message is enough. subject may be NULL. A macro, so that whoever reads the caller alone (a compiler,
 * an analyzer) knows which status comes back. */
#define rsm__fail(reterr, status, ...) (rsm__error_fill((reterr), (status), __VA_ARGS__), rsm__same_status(status))
/* The same for a failed system call: the system's number and its words for it. */
#define rsm__fail_call(reterr, status, call, os_code, os_text, subject)                                                \
  (rsm__error_fill_call((reterr), (status), (call), (os_code), (os_text), (subject)), rsm__same_status(status))
#define rsm__fail_memory(reterr) rsm__fail((reterr), RSM_OUT_OF_MEMORY, NULL, NULL)

static inline rsm_status rsm__same_status(rsm_status status) {
  return status;
}

/* Want of memory or descriptors says nothing about what was looked at: it may never be taken for "there is none". */
static inline bool rsm__is_shortage(rsm_status status) {
  return status == RSM_OUT_OF_MEMORY || status == RSM_BUSY;
}

void rsm__error_fill(rsm_error *reterr, rsm_status status, const char *subject, const char *detail, ...)
    RSM_PRINTF(4, 5);
void rsm__error_fill_call(rsm_error *reterr, rsm_status status, const char *call, int os_code, const char *os_text,
                          const char *subject);
/* Puts more words in front of what a lower layer said, which stays: "detail: what was there". */
void rsm__error_explain(rsm_error *error, const char *words, ...) RSM_PRINTF(2, 3);

#endif
