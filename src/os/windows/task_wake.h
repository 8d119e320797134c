/* task_wake.h: what the waits of this folder need of a task. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_TASK_WAKE_H
#define RSM_OS_WINDOWS_TASK_WAKE_H

#include <windows.h>

#include "os/task.h"

/* A manual-reset event that is set once the task is cancelled. Borrowed. */
HANDLE rsm__task_wake_handle(const rsm__task *task);

#endif
