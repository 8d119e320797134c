/* ask.c: the three steps that Windows' programs know from its own Restart Manager: may you be closed
 * (WM_QUERYENDSESSION), you are being closed (WM_ENDSESSION), close (WM_CLOSE); and CTRL+C for a console's program.
 *
 * call                   | purpose                       | blocks on, and the bound
 * SendMessageTimeoutW    | the first two, to each window | ANSWER_MS a window; not at all if it is known to hang
 * WaitForMultipleObjects | our owner's decision          | until there is one, or the process has ended
 * WaitForSingleObject    | its end, before WM_CLOSE      | LINGER_MS
 * PostMessageW           | WM_CLOSE                      | nothing: what it asks its user then, nobody waits for here
 * rsm__console_interrupt | CTRL+C                        | a helper's life: a few seconds
 *
 * All this happens on the asking's own thread, which lives on without its owner: until the last step is done.
 * SPDX-License-Identifier: MIT */
#include "os/windows/ask.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "os/thread.h"
#include "os/windows/console.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"
#include "os/windows/program.h"
#include "os/windows/window.h"

enum { ANSWER_MS = 5000, LINGER_MS = 1000, STACK_SIZE = 256 * 1024 };
enum { UNDECIDED, PROCEED, WITHDRAW };

#ifndef ENDSESSION_CLOSEAPP
#define ENDSESSION_CLOSEAPP 1
#endif

struct rsm__asking {
  atomic_uint references; /* the owner's and the thread's */
  atomic_int decision;
  rsm_process id;
  HANDLE process;   /* SYNCHRONIZE; keeps the number */
  HANDLE answered;  /* auto-reset: there is news */
  HANDLE decided;   /* manual-reset */
  bool has_console; /* by its program file */
  rsm_process *company;
  size_t company_count;
  SRWLOCK lock; /* guards the two below */
  rsm_status answer;
  rsm_error words;
};

/* ---- Its life ---------------------------------------------------------------------------------------------------- */

static void unref(rsm__asking *asking) {
  if (!asking || atomic_fetch_sub(&asking->references, 1) != 1) return;
  rsm__handle_close(&asking->process);
  rsm__handle_close(&asking->answered);
  rsm__handle_close(&asking->decided);
  rsm__free(asking->company);
  rsm__free(asking);
}

void rsm__asking_leave(rsm__asking *asking) {
  if (asking) rsm__asking_decide(asking, false);
  unref(asking);
}

bool rsm__asking_decide(rsm__asking *asking, bool proceed) {
  int before = UNDECIDED, wanted = proceed ? PROCEED : WITHDRAW;
  if (!atomic_compare_exchange_strong(&asking->decision, &before, wanted)) return before == wanted;
  SetEvent(asking->decided);
  return true;
}

HANDLE rsm__asking_handle(const rsm__asking *asking) {
  return asking->answered;
}

rsm_status rsm__asking_answer(rsm__asking *asking, rsm_error *reterr) {
  AcquireSRWLockShared(&asking->lock);
  rsm_status answer = asking->answer;
  if (reterr && answer != RSM_PENDING && answer != RSM_OK) *reterr = asking->words;
  ReleaseSRWLockShared(&asking->lock);
  return answer;
}

/* words: NULL with RSM_OK. */
static void give_answer(rsm__asking *asking, rsm_status answer, const rsm_error *words) {
  AcquireSRWLockExclusive(&asking->lock);
  asking->answer = answer;
  if (words) asking->words = *words;
  ReleaseSRWLockExclusive(&asking->lock);
  SetEvent(asking->answered);
}

static void answer_in_words(rsm__asking *asking, rsm_status answer, const char *words) {
  char subject[24];
  rsm_error error;
  snprintf(subject, sizeof subject, "pid %u", (unsigned)asking->id.pid);
  rsm__fail(&error, answer, subject, "%s", words);
  give_answer(asking, answer, &error);
}

/* ---- Its windows ------------------------------------------------------------------------------------------------- */

static bool has_ended(const rsm__asking *asking) {
  return WaitForSingleObject(asking->process, 0) == WAIT_OBJECT_0;
}

typedef enum reply { REPLY_YES, REPLY_NO, REPLY_NONE, REPLY_GONE } reply;

static reply send_message(const rsm__asking *asking, HWND window, UINT message, WPARAM argument) {
  DWORD_PTR result = 0;
  if (!rsm__window_is_of(window, asking->id.pid)) return REPLY_GONE;
  SetLastError(ERROR_SUCCESS);
  LRESULT sent =
      SendMessageTimeoutW(window, message, argument, ENDSESSION_CLOSEAPP, SMTO_ABORTIFHUNG, ANSWER_MS, &result);
  if (sent) return result ? REPLY_YES : REPLY_NO;
  /* Without an answer: it hangs, or the window was destroyed meanwhile. */
  return rsm__window_is_of(window, asking->id.pid) && !has_ended(asking) ? REPLY_NONE : REPLY_GONE;
}

/* To how many windows the question went; *ret_reply: the first that is no yes, else yes. */
static size_t query(const rsm__asking *asking, const rsm__windows *windows, reply *ret_reply) {
  *ret_reply = REPLY_YES;
  for (size_t i = 0; i < windows->count; i++) {
    reply got = send_message(asking, windows->items[i], WM_QUERYENDSESSION, 0);
    if (got != REPLY_NO && got != REPLY_NONE) continue;
    *ret_reply = got;
    return i + 1;
  }
  return windows->count;
}

static void tell(const rsm__asking *asking, const rsm__windows *windows, size_t count, bool ends) {
  for (size_t i = 0; i < count && !has_ended(asking); i++)
    (void)send_message(asking, windows->items[i], WM_ENDSESSION, ends ? TRUE : FALSE);
}

/* Windows that are there by now: it may have destroyed some and opened others. */
static void close_windows(const rsm__asking *asking) {
  RSM_CLEAN(rsm__windows_done) rsm__windows windows = {0};
  if (WaitForSingleObject(asking->process, LINGER_MS) == WAIT_OBJECT_0) return;
  rsm__windows_find(&windows, asking->id.pid);
  for (size_t i = 0; i < windows.count; i++)
    if (!rsm__window_is_shells(windows.items[i]) && rsm__window_is_of(windows.items[i], asking->id.pid))
      PostMessageW(windows.items[i], WM_CLOSE, 0, 0);
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

static void answer_from(rsm__asking *asking, reply got) {
  if (got == REPLY_NO)
    answer_in_words(asking, RSM_FAIL_SHUTDOWN, "it refuses to end: it answered no to WM_QUERYENDSESSION");
  else if (got == REPLY_NONE)
    answer_in_words(asking, RSM_TIMEOUT, "it does not answer: its window hangs");
  else
    give_answer(asking, RSM_OK, NULL);
}

static bool wait_for_decision(const rsm__asking *asking) {
  HANDLE both[] = {asking->decided, asking->process};
  WaitForMultipleObjects(2, both, FALSE, INFINITE);
  return atomic_load(&asking->decision) == PROCEED && !has_ended(asking);
}

static void interrupt_console(rsm__asking *asking) {
  rsm_error error;
  rsm_status status =
      rsm__console_interrupt(&asking->id, asking->process, asking->company, asking->company_count, &error);
  if (status != RSM_OK && !has_ended(asking)) give_answer(asking, status, &error);
}

static void *ask_thread(void *argument) {
  rsm__asking *asking = argument;
  RSM_CLEAN(rsm__windows_done) rsm__windows windows = {0};
  reply got;
  rsm__windows_find(&windows, asking->id.pid);
  size_t asked = query(asking, &windows, &got);
  answer_from(asking, got);
  bool proceed = wait_for_decision(asking);
  /* A window that hangs is told in vain, but the others of the process may still save what they have. */
  tell(asking, &windows, proceed ? windows.count : asked, proceed);
  if (proceed && windows.count) close_windows(asking);
  /* A program that only has windows which nobody sees (those that libraries make) lives in its console. */
  if (proceed && asking->has_console && windows.kind != RSM__WINDOW_MAIN && !has_ended(asking))
    interrupt_console(asking);
  unref(asking);
  return NULL;
}

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

static bool has_windows(uint32_t pid) {
  RSM_CLEAN(rsm__windows_done) rsm__windows windows = {0};
  rsm__windows_find(&windows, pid);
  return windows.count > 0;
}

static void clean_asking(rsm__asking **asking) {
  if (!*asking) return;
  atomic_store(&(*asking)->references, 1); /* no thread ever had it */
  unref(*asking);
}

static rsm_status fill(rsm__asking *asking, const rsm__process *process, const rsm_process *company, size_t count,
                       rsm_error *reterr) {
  asking->id = *rsm__process_id(process);
  asking->answer = RSM_PENDING;
  asking->has_console = rsm__program_is_console(process);
  InitializeSRWLock(&asking->lock);
  atomic_init(&asking->references, 2);
  if (!asking->has_console && !has_windows(asking->id.pid)) {
    char subject[24];
    snprintf(subject, sizeof subject, "pid %u", (unsigned)asking->id.pid);
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, subject,
                     "it cannot be asked to end: it has neither a window nor a console");
  }
  asking->company = rsm__calloc(count, sizeof *asking->company);
  if (!asking->company) return rsm__fail_memory(reterr);
  if (count) memcpy(asking->company, company, count * sizeof *company);
  asking->company_count = count;
  asking->answered = CreateEventW(NULL, FALSE, FALSE, NULL);
  asking->decided = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!asking->answered || !asking->decided) return rsm__fail_windows(reterr, GetLastError(), "CreateEventW", NULL);
  return rsm__process_open_rights(process, SYNCHRONIZE, &asking->process, reterr);
}

rsm_status rsm__asking_begin(const rsm__process *process, const rsm_process *company, size_t count,
                             rsm__asking **ret_asking, rsm_error *reterr) {
  RSM_CLEAN(clean_asking) rsm__asking *asking = rsm__calloc(1, sizeof *asking);
  rsm__thread thread = {0};
  if (!asking) return rsm__fail_memory(reterr);
  rsm_status status = fill(asking, process, company, count, reterr);
  if (status == RSM_OK) status = rsm__thread_start(ask_thread, asking, STACK_SIZE, &thread, reterr);
  if (status != RSM_OK) return status;
  rsm__thread_leave(&thread);
  *ret_asking = asking;
  asking = NULL;
  return RSM_OK;
}
