/* launch_create.h: a new process that does not run yet, and ends with us until it is set free.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_LAUNCH_CREATE_H
#define RSM_OS_WINDOWS_LAUNCH_CREATE_H

#include "os/windows/capture.h"

typedef struct rsm__launch_created {
  HANDLE process, thread; /* thread: its first one, suspended */
  HANDLE job;             /* ends it when the last handle on it is closed; NULL: this system let us have none */
  rsm_process id;
  uint32_t thread_id;
  bool is_free;
  bool in_our_job;     /* the installer's own job has it, too */
  bool other_priority; /* it did not get the captured one */
} rsm__launch_created;

/* As captured, with that command line; nothing of ours is inherited. Blocks for as long as the system needs to open the
 * program file and the directory. RSM_FILE_NOT_FOUND, RSM_ACCESS_DENIED, ...: in words. */
rsm_status rsm__launch_create(const rsm__capture *capture, const wchar_t *command_line,
                              rsm__launch_created *ret_created, rsm_error *reterr);
/* It outlives us from now on, and what it starts is no part of the job. */
rsm_status rsm__launch_set_free(rsm__launch_created *created, rsm_error *reterr);
/* Ends it, if it was not set free. */
void rsm__launch_created_done(rsm__launch_created *created);

#endif
