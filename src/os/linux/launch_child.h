/* launch_child.h: what happens between fork and exec. Everything it needs is prepared before: between fork and exec
 * only system calls are made, since another thread of the host may have held any lock when we forked.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_LAUNCH_CHILD_H
#define RSM_OS_LINUX_LAUNCH_CHILD_H

#include <sys/types.h>

#include "os/linux/capture.h"

/* Messages from the child, each one packet of its socket. Up to NOTE it goes on afterwards; from FORK on nothing was
 * started and the value is the errno. It waits for a word of one byte after PID, and for the record after READY. */
typedef enum rsm__launch_step {
  RSM__STEP_PID,   /* value: the pid of the process that will run the program; it still has our rights */
  RSM__STEP_READY, /* it has become its user, and stands in its directory */
  RSM__STEP_NOTE,  /* value: RSM__NOTE_ bits of what could not be restored */
  RSM__STEP_FORK,
  RSM__STEP_STREAMS,
  RSM__STEP_UMASK,
  RSM__STEP_BOUNDING,
  RSM__STEP_GROUPS,
  RSM__STEP_GROUP,
  RSM__STEP_USER,
  RSM__STEP_CAPABILITIES,
  RSM__STEP_NO_NEW_PRIVS,
  RSM__STEP_DIRECTORY,
  RSM__STEP_RECORD,
  RSM__STEP_EXEC,
  RSM__STEP_COUNT
} rsm__launch_step;

enum { RSM__NOTE_GROUP = 1, RSM__NOTE_NICE = 2, RSM__NOTE_LIMITS = 4 };

typedef struct rsm__launch_message {
  uint32_t step;
  int32_t value;
} rsm__launch_message;

enum { RSM__LAUNCH_RECORD_SIZE = 32, RSM__CHILD_PATIENCE_MS = 15000, RSM__CHILD_LINGER_MS = 1000 };

/* All descriptors are above 2; -1: none. */
typedef struct rsm__launch_plan {
  const rsm__capture *capture;
  char *const *argv;
  char *const *environment;
  int socket;        /* the child's end: messages out, the record in */
  int parent_socket; /* the other end, which the child must not keep open */
  int record;
  int lock;
  int input, output, error;
  bool set_groups, set_group, set_user;
} rsm__launch_plan;

/* fork() as one system call: no handlers run, no signal is sent to us for exit_signal 0. ret_pidfd may be NULL. Memory
 * is copied, never shared. */
pid_t rsm__launch_fork(int exit_signal, int *ret_pidfd);

/* Descriptors: all from `first` on but those in keep (ascending) are closed. */
void rsm__launch_close_from(int first, const int *keep, size_t count);

/* Default dispositions for all signals, then none blocked. */
void rsm__launch_reset_signals(void);

/* The life of the forked process, which forks again, so that the one that runs the program is nobody's child here. */
_Noreturn void rsm__launch_child(const rsm__launch_plan *plan);

#endif
