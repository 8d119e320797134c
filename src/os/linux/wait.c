/* wait.c: waiting on pidfds.
 *
 * call        | purpose                          | blocks on, and the bound
 * poll        | any pidfd or the task's wake fd  | until one ends, the task is cancelled or the deadline: in one call
 * poll, slow  | only the wake fd, when there is  | TICK_MS at a time; the pidfds are then asked one by one
 *             | no memory for all of them        |
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/wait.h"

#include <limits.h>
#include <poll.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/linux/process_handle.h"
#include "os/linux/task_wake.h"

enum { TICK_MS = 20 };

typedef struct wait_set {
  rsm__process *const *processes;
  size_t count;
  rsm__task *task;
  bool *ended;
} wait_set;

/* poll passes over negative descriptors: with no task the last element waits for nothing. */
static struct pollfd wake_element(const wait_set *set) {
  return (struct pollfd){.fd = set->task ? rsm__task_wake_fd(set->task) : -1, .events = POLLIN};
}

static size_t count_ended(const wait_set *set) {
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++) {
    bool ended = set->processes[i] && !rsm__process_alive(set->processes[i]);
    if (set->ended) set->ended[i] = ended;
    count += ended;
  }
  return count;
}

static int until_deadline(uint64_t deadline_ms) {
  uint64_t now = rsm__clock_ms();
  if (now >= deadline_ms) return 0;
  return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}

static nfds_t fill(const wait_set *set, struct pollfd *elements) {
  nfds_t used = 0;
  elements[used++] = wake_element(set);
  for (size_t i = 0; i < set->count; i++)
    if (set->processes[i])
      elements[used++] = (struct pollfd){.fd = rsm__process_pidfd(set->processes[i]), .events = POLLIN};
  return used;
}

size_t rsm__wait_any(rsm__process *const *processes, size_t count, uint64_t deadline_ms, rsm__task *task, bool *ended) {
  wait_set set = {processes, count, task, ended};
  RSM_CLEAN_FREE struct pollfd *all = rsm__calloc(count + 1, sizeof *all);
  nfds_t used = all ? fill(&set, all) : 0;
  for (;;) {
    size_t found = count_ended(&set);
    int left = until_deadline(deadline_ms);
    if (found || left == 0 || (task && rsm__task_cancelled(task))) return found;
    if (all && poll(all, used, left) >= 0) continue;
    /* No memory, a signal, or more descriptors than a limit that has been lowered since lets poll take. */
    struct pollfd wake = wake_element(&set);
    poll(&wake, 1, left < TICK_MS ? left : TICK_MS);
  }
}
