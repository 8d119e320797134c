/* question.h: what is asked about one process and may not be answered (its arguments, its program file on a network
 * mount): in a thread that can be given up, and never again while a thread of ours hangs there.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_QUESTION_H
#define RSM_OS_LINUX_QUESTION_H

#include "os/linux/lookup.h"

/* Runs work, which looks at that one process. RSM_TIMEOUT: it hangs, or one hung there before, or as many as may hang
 * since the last rsm__lookup_refresh do; the argument is gone, as after any other failure. */
rsm_status rsm__question_ask(rsm__lookup *lookup, const rsm_process *process, rsm__bounded_work *work,
                             rsm__bounded_free *free_argument, void *argument, rsm__task *task, rsm_error *reterr);

/* The same in two steps, for the caller to do something else in between. Begin: RSM_BUSY: as many as can be are under
 * way. Wait or leave ends it; the argument is gone after leaving, and after anything but RSM_OK. */
typedef struct rsm__question {
  rsm__bounded *job; /* NULL: none */
  rsm__asker *asker;
  rsm_process process;
} rsm__question;
rsm_status rsm__question_begin(rsm__lookup *lookup, const rsm_process *process, rsm__bounded_work *work,
                               rsm__bounded_free *free_argument, void *argument, rsm__question *ret_question,
                               rsm_error *reterr);
rsm_status rsm__question_wait(rsm__question *question, rsm__lookup *lookup, rsm__task *task, rsm_error *reterr);
void rsm__question_leave(rsm__question *question);

/* at_uses: it hangs at what it uses, so that a listing must pass it over; else only its arguments or the like do not
 * answer. Takes the job over, also when it fails. */
rsm_status rsm__lookup_remember_process(rsm__lookup *lookup, const rsm_process *process, bool at_uses,
                                        rsm__bounded *stuck, rsm_error *reterr);
/* The i-th process at whose uses a thread of ours hung, at the last rsm__lookup_refresh. False: there are no more. */
bool rsm__lookup_stalled_at(const rsm__lookup *lookup, size_t i, rsm_process *ret_process);

#endif
