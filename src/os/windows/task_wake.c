/* task_wake.c: see task_wake.h here and in os/common. SPDX-License-Identifier: MIT */
#include "os/windows/task_wake.h"

#include "os/common/task_wake.h"
#include "os/windows/os_error.h"

rsm_status rsm__task_wake_init(rsm__task_wake *ret_wake, rsm_error *reterr) {
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!event) return rsm__fail_windows(reterr, GetLastError(), "CreateEventW", NULL);
  *ret_wake = (rsm__task_wake){.cancelled = (intptr_t)event, .ready = -1}; /* an event is no descriptor */
  return RSM_OK;
}

void rsm__task_wake_done(rsm__task_wake *wake) {
  CloseHandle((HANDLE)wake->cancelled);
  wake->cancelled = 0;
}

void rsm__task_wake_cancel(const rsm__task_wake *wake) {
  SetEvent((HANDLE)wake->cancelled);
}

void rsm__task_wake_show(const rsm__task_wake *wake, bool ready) {
  (void)wake;
  (void)ready; /* to nobody */
}

HANDLE rsm__task_wake_handle(const rsm__task *task) {
  return (HANDLE)rsm__task_wake_of(task)->cancelled;
}
