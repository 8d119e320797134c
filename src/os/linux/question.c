/* question.c: see question.h. SPDX-License-Identifier: MIT
 *
 * call                 | purpose          | blocks on
 * rsm__bounded_wait_by | a process' reply | the lookup's limit, once a process
 */
#include "os/linux/question.h"

#include "base/cleanup.h"
#include "base/error.h"

enum {
  MOST_GIVEN_UP = 4,
  ALONE = 0, /* the asker of who waits at once: it is never busy then */
};

rsm_status rsm__lookup_remember_process(rsm__lookup *lookup, const rsm_process *process, bool at_uses,
                                        rsm__bounded *job, rsm_error *reterr) {
  return rsm__lookup_remember(lookup, process, at_uses, job, reterr);
}

bool rsm__lookup_stalled_at(const rsm__lookup *lookup, size_t i, rsm_process *ret_process) {
  for (size_t at = 0; at < lookup->stall_count; at++) {
    if (!lookup->stalls[at].at || i-- > 0) continue;
    *ret_process = lookup->stalls[at].process;
    return true;
  }
  return false;
}

/* Does a thread of ours still hang there? Nobody else is sent then. */
static bool is_stalled(rsm__lookup *lookup, const rsm_process *process) {
  bool stalled = false;
  for (size_t i = lookup->stall_count; i-- > 0;) {
    if (!rsm_process_equal(&lookup->stalls[i].process, process)) continue;
    if (rsm__bounded_returned(lookup->stalls[i].job))
      rsm__lookup_forget(lookup, i);
    else
      stalled = true;
  }
  return stalled;
}

/* asker NULL: there is none. */
static rsm_status begin(rsm__lookup *lookup, rsm__asker *asker, const rsm_process *process, rsm__bounded_work *work,
                        rsm__bounded_free *free_argument, void *argument, rsm__question *ret_question,
                        rsm_error *reterr) {
  rsm__bounded *job = NULL;
  rsm_status status;
  if (lookup->given_up >= MOST_GIVEN_UP || is_stalled(lookup, process))
    status = RSM_TIMEOUT;
  else if (!asker)
    status = rsm__fail(reterr, RSM_BUSY, NULL, "as many processes as can be are asked already");
  else
    status = rsm__bounded_begin_by(&asker->worker, work, free_argument, argument, &job, reterr);
  if (status != RSM_OK) {
    free_argument(argument);
    return status;
  }
  asker->busy = true;
  *ret_question = (rsm__question){.job = job, .asker = asker, .process = *process};
  return RSM_OK;
}

rsm_status rsm__question_begin(rsm__lookup *lookup, const rsm_process *process, rsm__bounded_work *work,
                               rsm__bounded_free *free_argument, void *argument, rsm__question *ret_question,
                               rsm_error *reterr) {
  rsm__asker *idle = NULL;
  for (size_t i = ALONE + 1; i < RSM_COUNT(lookup->askers) && !idle; i++)
    if (!lookup->askers[i].busy) idle = &lookup->askers[i];
  return begin(lookup, idle, process, work, free_argument, argument, ret_question, reterr);
}

rsm_status rsm__question_wait(rsm__question *question, rsm__lookup *lookup, rsm__task *task, rsm_error *reterr) {
  rsm__bounded *stuck = NULL;
  rsm_status status =
      rsm__bounded_wait_by(&question->asker->worker, question->job, lookup->limit_ms, task, &stuck, reterr);
  question->asker->busy = false;
  question->job = NULL;
  if (status != RSM_TIMEOUT || !stuck) return status;
  lookup->given_up++;
  status = rsm__lookup_remember_process(lookup, &question->process, false, stuck, reterr);
  return status == RSM_OK ? RSM_TIMEOUT : status;
}

void rsm__question_leave(rsm__question *question) {
  if (!question->job) return;
  rsm__bounded_leave_by(&question->asker->worker, question->job);
  question->asker->busy = false;
  question->job = NULL;
}

rsm_status rsm__question_ask(rsm__lookup *lookup, const rsm_process *process, rsm__bounded_work *work,
                             rsm__bounded_free *free_argument, void *argument, rsm__task *task, rsm_error *reterr) {
  rsm__question question = {0};
  rsm_status status = begin(lookup, &lookup->askers[ALONE], process, work, free_argument, argument, &question, reterr);
  return status == RSM_OK ? rsm__question_wait(&question, lookup, task, reterr) : status;
}
