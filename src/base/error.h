/* error.h: filling a caller's rsm_error. Never allocates.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BASE_ERROR_H
#define RSM_BASE_ERROR_H

#include "rsm.h"

#if defined(__GNUC__)
#define RSM_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define RSM_PRINTF(text, first)
#endif

/* Fills *reterr (NULL: nothing to fill) and returns status. detail: printf format, what is wrong and what to do; NULL:
 * the status' own message is enough. subject may be NULL. */
rsm_status rsm__fail(rsm_error *reterr, rsm_status status, const char *subject, const char *detail, ...)
    RSM_PRINTF(4, 5);
/* The same for a failed system call: the system's number and its words for it. */
rsm_status rsm__fail_call(rsm_error *reterr, rsm_status status, const char *call, int os_code, const char *os_text,
                          const char *subject);
rsm_status rsm__fail_memory(rsm_error *reterr);
/* Puts more words in front of what a lower layer said, which stays: "detail: what was there". */
void rsm__error_explain(rsm_error *error, const char *words, ...) RSM_PRINTF(2, 3);

#endif
