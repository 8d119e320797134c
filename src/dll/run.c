/* run.c: an operation run to its end on the caller's thread, with Windows' status callback.
 *
 * call        | purpose            | blocks on
 * rsm_op_step | moves it on        | the operation: its graces, until something happens or it is cancelled
 * callback    | tells the caller   | the caller
 *
 * SPDX-License-Identifier: MIT */
#include "dll/run.h"

/* Microsoft's header names no calling convention for the callback. On 32-bit Windows C's own and the system's differ in
 * who takes the argument off the stack, and callers pass functions of either kind: so the stack pointer is kept in a
 * register that both kinds preserve. */
static void call(RM_WRITE_STATUS_CALLBACK callback, UINT percent) {
#if defined(__i386__)
  __asm__ volatile("movl %%esp, %%esi\n\t"
                   "andl $-16, %%esp\n\t"
                   "subl $12, %%esp\n\t"
                   "pushl %1\n\t"
                   "call *%0\n\t"
                   "movl %%esi, %%esp"
                   :
                   : "b"(callback), "D"(percent)
                   : "eax", "ecx", "edx", "esi", "memory", "cc");
#else
  callback(percent);
#endif
}

typedef struct progress {
  RM_WRITE_STATUS_CALLBACK callback;
  int shown; /* -1: nothing yet */
} progress;

static void show(progress *p, unsigned percent) {
  if (!p->callback || (int)percent <= p->shown) return;
  p->shown = (int)percent;
  call(p->callback, percent);
}

rsm_status rsm__run(const rsm__slot *slot, rsm_op *op, RM_WRITE_STATUS_CALLBACK callback) {
  progress p = {.callback = callback, .shown = -1};
  rsm_event event;
  rsm_status stepped;
  if (rsm__slot_is_ending(slot)) rsm_op_cancel(op); /* whoever ends the session found nothing to cancel */
  show(&p, 0);
  do {
    stepped = rsm_op_step(op, UINT32_MAX, &event);
    if (stepped == RSM_PENDING) show(&p, rsm_op_percent(op));
  } while (stepped == RSM_PENDING);
  rsm_status status = rsm_op_status(op, NULL);
  if (status == RSM_OK) show(&p, 100);
  return status;
}
