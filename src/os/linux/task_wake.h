/* task_wake.h: what the waits of this folder need of a task. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_TASK_WAKE_H
#define RSM_OS_LINUX_TASK_WAKE_H

#include "os/task.h"

int rsm__task_wake_fd(const rsm__task *task); /* readable once it is cancelled; borrowed */

#endif
