/* process.h: a process held by a handle (Linux: a pidfd), what is known about it, and the three things done to it.
 *
 * The handle is opened first, then facts are read, then the handle is asked whether the process is still there: only
 * then do the facts belong to it. Everything that acts does so through the handle, never through a number.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_PROCESS_H
#define RSM_OS_PROCESS_H

#include "base/cleanup.h"
#include "os/files.h"
#include "os/task.h"

typedef struct rsm__process rsm__process;

/* Opens the process that id names. id->start_time 0: whoever has the pid now. RSM_NOT_FOUND: it is gone, or the pid or
 * the start time is another process'. RSM_BUSY: no descriptors left (the caller may retry when it has closed some).
 * RSM_ACCESS_DENIED: hidden from us. RSM_NOT_SUPPORTED: the system's numbers here are not ours (Linux: a /proc of
 * another pid namespace), so nobody can be named safely. */
rsm_status rsm__process_open(const rsm_process *id, rsm__process **ret_process, rsm_error *reterr);
rsm__process *rsm__process_close(rsm__process *process); /* NULL-tolerant; returns NULL */
static inline void rsm__clean_process(rsm__process **process) {
  rsm__process_close(*process);
}
#define RSM_CLEAN_PROCESS RSM_CLEAN(rsm__clean_process)
/* Complete: start_time and, if there is one, instance. */
const rsm_process *rsm__process_id(const rsm__process *process);

/* From now on whatever is read of the process through this handle and may wait for it (its arguments, its program file
 * on a network mount) is read within the lookup's limit, and a process that hung once is not asked again while a thread
 * of ours still hangs there. A cancelled task (NULL: none) ends the wait with RSM_CANCELLED. Both are borrowed for as
 * long as the handle is used. Without this the reads wait as long as the process does. */
void rsm__process_within(rsm__process *process, rsm__lookup *lookup, rsm__task *task);

/* Begins to read, within that limit and beside the caller, what rsm__process_facts_get and rsm__launch_capture (without
 * an environment) will be asked for, so that the caller can do something else meanwhile; the first question waits for
 * it. A hint: of more than two at a time, and where it cannot be done, nothing is read ahead. The handle is closed
 * before the lookup and the task end. Windows: does nothing. */
void rsm__process_read_ahead(rsm__process *process);

/* False from the moment that its last thread has ended, reaped or not. */
bool rsm__process_alive(const rsm__process *process);

/* May we signal it, end it? RSM_ACCESS_DENIED; RSM_NOT_FOUND: it has ended. Sends nothing. */
rsm_status rsm__process_permit(const rsm__process *process, rsm_error *reterr);
/* Asks it to end, in two steps, and waits for neither: first whether it will (rsm__process_answer tells), then that it
 * does (rsm__process_proceed), or not after all (rsm__process_withdraw, also implied by closing the handle).
 * Windows: its windows are asked, and may refuse; a console's program gets a CTRL+C in the second step, if nobody but
 * itself, its children and the company (who else is to be stopped) shares its console.
 * Linux: the first step does all, and nobody can refuse: SIGHUP for an interactive shell (by its arguments: if they do
 * not answer in time it is none), else SIGTERM; then SIGCONT: a stopped job must wake to obey.
 * RSM_NOT_SUPPORTED: it has nothing that could be asked. RSM_ACCESS_DENIED, RSM_NOT_FOUND. */
rsm_status rsm__process_ask(rsm__process *process, const rsm_process *company, size_t count, rsm_error *reterr);
/* RSM_PENDING: it has not answered yet. RSM_OK: it will end. In words: RSM_FAIL_SHUTDOWN: it refuses; RSM_TIMEOUT: it
 * does not answer; RSM_NOT_SUPPORTED: it cannot be asked, which may also come to light in the second step. */
rsm_status rsm__process_answer(const rsm__process *process, rsm_error *reterr);
void rsm__process_proceed(const rsm__process *process);
/* False: too late, it was told already. */
bool rsm__process_withdraw(const rsm__process *process);
rsm_status rsm__process_kill(const rsm__process *process, rsm_error *reterr);

/* Top-level windows of its own. */
typedef enum rsm__window_kind {
  RSM__WINDOW_NONE,
  RSM__WINDOW_OTHER, /* none of them is seen and stands alone */
  RSM__WINDOW_MAIN
} rsm__window_kind;

typedef struct rsm__process_facts {
  rsm_process parent;   /* pid 0: none that we can see */
  bool kernel_thread;   /* no program of its own */
  bool system_core;     /* the whole system ends with it, whatever service it may be, too: session_core tells why */
  bool same_namespaces; /* same pid and user namespace, or Windows session, as ours: else it is out of our reach */
  uint32_t uid;         /* effective */
  const char *user;
  const char *name; /* never NULL: what its program calls itself (Windows), its file's name, the kernel's short name */
  const char *exe;  /* program file without " (deleted)"; NULL: not readable */
  const char *const *command;
  size_t command_count;
  int64_t started_at;
  bool has_terminal; /* has a controlling terminal; Windows: is a console's program */
  rsm__window_kind windows;
  bool desktop_shell;        /* shows the desktop and its task bar */
  const char *logon_session; /* logind's id from the cgroup or the audit session; Windows: the session's number; NULL */
  const char *session_core;  /* why it is part of the session's core ("the system message bus"); NULL: it is not */
} rsm__process_facts;

/* What is known of the process; text in the arena. What may not be read, or did not answer in time, is NULL; in doubt
 * it is part of the session's core then. RSM_NOT_FOUND: it ended meanwhile. */
rsm_status rsm__process_facts_get(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts,
                                  rsm_error *reterr);

/* Its parent alone, pid 0: none that we can see. Waits for nobody. RSM_NOT_FOUND: it has ended. */
rsm_status rsm__process_parent(const rsm__process *process, rsm_process *ret_parent, rsm_error *reterr);

uint32_t rsm__process_self(void); /* our pid, asked anew at each call: a forked child must notice */
/* We, [0], and those whose end would be ours, too, or lose who waits for us: our ancestors (shell, terminal, ssh),
 * nearest first. Windows: without the desktop's shell and who started that, whom nobody needs for living on; and at the
 * end who serves our consoles, which is no ancestor there. In the arena. */
rsm_status rsm__process_carriers(rsm__arena *arena, const rsm_process **ret_carriers, size_t *ret_count,
                                 rsm_error *reterr);

/* A variable of our environment; NULL if it is not set, or if we run with more rights than who started us (Linux:
 * AT_SECURE). Borrowed from the environment: valid until that is changed. */
const char *rsm__process_environment(const char *name);

/* Marks of this boot and of our pid namespace: a record of another boot or namespace must never be taken for ours.
 * Under Wine a boot is the life of the prefix' server. */
typedef struct rsm__here {
  char boot[40];
  uint64_t pid_namespace;
} rsm__here;
rsm_status rsm__process_here(rsm__here *ret_here, rsm_error *reterr);

/* How many process handles may be kept open at once: half of the descriptors that we may still open, at least 8;
 * Windows: thousands. */
size_t rsm__process_budget(void);

#endif
