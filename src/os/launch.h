/* launch.h: what is needed to start a process again as it was, and starting it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LAUNCH_H
#define RSM_OS_LAUNCH_H

#include "base/buffer.h"
#include "os/private_dir.h"
#include "os/process.h"

/* Everything that a restart needs, as bytes for the journal; only this module reads them.
 * Linux: argv, exe, directory, uid, gid, groups, capability sets, no_new_privs, rlimits, umask, niceness, terminal,
 * cgroup, and the environment. Windows: program file, command line, directory, desktop, how its window is shown, kind
 * of console, priority class, user, session, integrity level, and the environment. *ret_obstacle (in the arena, NULL:
 * none): why it could not be made again from here, in words: another mount, pid, net or user namespace, a seccomp
 * filter, another security label, other rights than ours, a package, or that it did not answer in time
 * (rsm__process_within). */
rsm_status rsm__launch_capture(const rsm__process *process, bool with_environment, rsm__arena *arena,
                               rsm__buffer *ret_capture, const char **ret_obstacle, rsm_error *reterr);

typedef struct rsm__launch_request {
  const void *capture; /* rsm__launch_capture's bytes; untrusted */
  size_t capture_length;
  const char *const *args; /* replaces the arguments after argv[0]; NULL: as captured */
  size_t arg_count;
  rsm__file *record; /* gets, before the program runs, the new process' identity (rsm__launch_record reads it) */
  rsm__lock *lock;   /* Linux: held by the new process until it runs its program; may be NULL */
} rsm__launch_request;

typedef struct rsm__launched {
  rsm_process process;
  const char *note; /* in the arena: what could not be restored ("in the installer's group"); NULL: nothing */
} rsm__launched;

/* Starts it: never with more rights than captured, never through a shell, in a new session, not as our child (the
 * host's SIGCHLD and wait see nothing), and not as a part of our service where that can be avoided (Linux: in a scope
 * of its own under systemd, else in its old control group; Windows: outside of our job). Returns when the program runs
 * or could not be run. Either the record is complete and the program was started, or the record is empty and it was
 * not, whatever dies in between; so after a failure, too: a program that could not be ended again keeps its record.
 * RSM_TIMEOUT after 10 s. */
rsm_status rsm__launch_start(const rsm__launch_request *request, rsm__arena *arena, rsm__launched *ret_launched,
                             rsm_error *reterr);

/* The process named by a launch record's content. False: torn or empty, so nothing was started. Windows: what a starter
 * that has died since left in the middle of it, suspended, is let go or ended by this call, as the record says. */
bool rsm__launch_record(const void *data, size_t length, rsm_process *ret_process);

/* Runs argv (argv[0] searched in PATH; Windows: where its own programs are, too, and never in the working directory)
 * with one variable added to our environment and waits for its end; our descriptors 0 to 2 are inherited.
 * RSM_FILE_NOT_FOUND, RSM_ACCESS_DENIED: could not be run. */
rsm_status rsm__launch_run(const char *const *argv, size_t argc, const char *variable, const char *value,
                           rsm_exit *ret_exit, rsm_error *reterr);

#endif
