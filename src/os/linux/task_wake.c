/* task_wake.c: see task_wake.h here and in os/common. SPDX-License-Identifier: MIT */
#include "os/linux/task_wake.h"

#include <stdint.h>
#include <sys/eventfd.h>

#include "os/common/task_wake.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"

rsm_status rsm__task_wake_init(rsm__task_wake *ret_wake, rsm_error *reterr) {
  RSM_CLEAN_FD int ready = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (ready < 0) return rsm__fail_errno(reterr, errno, "eventfd", NULL);
  int cancelled = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (cancelled < 0) return rsm__fail_errno(reterr, errno, "eventfd", NULL);
  *ret_wake = (rsm__task_wake){.cancelled = cancelled, .ready = rsm__fd_take(&ready)};
  return RSM_OK;
}

void rsm__task_wake_done(rsm__task_wake *wake) {
  int cancelled = (int)wake->cancelled;
  rsm__fd_close(&wake->ready);
  rsm__fd_close(&cancelled);
  wake->cancelled = -1;
}

/* Adding 1 to a counter that stays below its limit neither blocks nor fails. */
static void raise_fd(int fd) {
  int before = errno;
  (void)!write(fd, &(uint64_t){1}, sizeof(uint64_t));
  errno = before;
}

static void lower_fd(int fd) {
  int before = errno;
  uint64_t count;
  (void)!read(fd, &count, sizeof count);
  errno = before;
}

void rsm__task_wake_cancel(const rsm__task_wake *wake) {
  raise_fd((int)wake->cancelled);
}

void rsm__task_wake_show(const rsm__task_wake *wake, bool ready) {
  if (ready)
    raise_fd(wake->ready);
  else
    lower_fd(wake->ready);
}

int rsm__task_wake_fd(const rsm__task *task) {
  return (int)rsm__task_wake_of(task)->cancelled;
}
