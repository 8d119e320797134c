/* ask.h: asking one process to end, on a thread of its own: its windows take their time, and several are asked at once.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_ASK_H
#define RSM_OS_WINDOWS_ASK_H

#include <windows.h>

#include "os/process.h"

typedef struct rsm__asking rsm__asking;

/* See rsm__process_ask. */
rsm_status rsm__asking_begin(const rsm__process *process, const rsm_process *company, size_t count,
                             rsm__asking **ret_asking, rsm_error *reterr);
rsm_status rsm__asking_answer(rsm__asking *asking, rsm_error *reterr);
HANDLE rsm__asking_handle(const rsm__asking *asking);       /* set, for one wait, when there is an answer; borrowed */
bool rsm__asking_decide(rsm__asking *asking, bool proceed); /* the first decision counts; false: that was another */
/* The thread goes on with what was decided; if nothing was, it withdraws. NULL-tolerant. */
void rsm__asking_leave(rsm__asking *asking);

#endif
