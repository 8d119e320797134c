/* launch_run.c: running a program as our own child, to its end: a secondary installer.
 *
 * call   | purpose                  | blocks
 * recv   | did exec succeed?        | while execve opens the program
 * waitid | the program's end        | as long as it runs: that is what the caller asked for
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "os/launch.h"
#include "os/linux/fd.h"
#include "os/linux/launch_prepare.h"
#include "os/linux/os_error.h"

enum { BY_PIDFD = 3 }; /* P_PIDFD, which older C libraries do not name */

extern char **environ;

typedef struct running {
  char *const *argv;
  char *const *environment;
  const char *const *candidates; /* the program's paths, tried in this order */
  int socket;                    /* the child's end */
} running;

/* ---- Before fork ---- */

static const char *join_path(rsm__arena *arena, const char *folder, size_t length, const char *name) {
  size_t size = length + strlen(name) + 3;
  char *path = rsm__arena_alloc(arena, size);
  if (path && length)
    snprintf(path, size, "%.*s/%s", (int)length, folder, name);
  else if (path)
    snprintf(path, size, "./%s", name); /* an empty element means here */
  return path;
}

/* Looked for before fork, since a search asks for memory. NULL: out of memory. */
static const char *const *find_candidates(const char *name, rsm__arena *arena) {
  const char *search = secure_getenv("PATH"); /* with more rights than who started us: not theirs to say */
  if (!search) search = "/usr/local/bin:/usr/bin:/bin";
  size_t count = 2;
  for (const char *at = search; *at; at++) count += *at == ':';
  const char **candidates = rsm__arena_alloc(arena, (count + 1) * sizeof *candidates);
  if (!candidates) return NULL;
  if (strchr(name, '/')) {
    candidates[0] = name;
    return candidates;
  }
  size_t used = 0;
  for (const char *at = search;; at++) {
    size_t length = strcspn(at, ":");
    if (!(candidates[used++] = join_path(arena, at, length, name))) return NULL;
    at += length;
    if (!*at) return candidates;
  }
}

/* Ours and one variable more. NULL: out of memory. */
static char *const *extend_environment(const char *variable, const char *value, rsm__arena *arena) {
  size_t count = 0, length = strlen(variable), used = 0;
  while (environ && environ[count]) count++;
  const char **environment = rsm__arena_alloc(arena, (count + 2) * sizeof *environment);
  char *text = rsm__arena_alloc(arena, length + strlen(value) + 2);
  if (!environment || !text) return NULL;
  for (size_t i = 0; i < count; i++)
    if (strncmp(environ[i], variable, length) != 0 || environ[i][length] != '=') environment[used++] = environ[i];
  snprintf(text, length + strlen(value) + 2, "%s=%s", variable, value);
  environment[used] = text;
  return (char *const *)environment;
}

static char *const *copy_arguments(const char *const *argv, size_t argc, rsm__arena *arena) {
  const char **copy = rsm__arena_alloc(arena, (argc + 1) * sizeof *copy);
  for (size_t i = 0; copy && i < argc; i++) copy[i] = argv[i];
  return (char *const *)copy;
}

/* ---- Between fork and exec: system calls only ---- */

_Noreturn static void run_child(const running *run) {
  int code = ENOENT;
  rsm__launch_close_from(3, &run->socket, 1);
  rsm__launch_reset_signals();
  for (size_t i = 0; run->candidates[i]; i++) {
    execve(run->candidates[i], run->argv, run->environment);
    if (errno != ENOENT && errno != ENOTDIR) code = errno;
    if (code != EACCES && code != ENOENT) break; /* found, and cannot be run: not a reason to take another one */
  }
  send(run->socket, &code, sizeof code, MSG_NOSIGNAL);
  _exit(127);
}

/* ---- After ---- */

/* 0: exec has closed the child's end. Else the child's errno. */
static int hear_exec(int socket) {
  int code = 0;
  ssize_t length;
  do length = recv(socket, &code, sizeof code, 0);
  while (length < 0 && errno == EINTR);
  return length == sizeof code ? code : 0;
}

static rsm_status wait_end(int pidfd, const char *name, rsm_exit *ret_exit, rsm_error *reterr) {
  siginfo_t info = {0};
  while (waitid((idtype_t)BY_PIDFD, (id_t)pidfd, &info, WEXITED) < 0) {
    int code = errno;
    if (code == EINTR) continue;
    if (code == ECHILD)
      return rsm__fail(reterr, RSM_GEN_FAILURE, name,
                       "has ended, but how is not known: this program collects the ends of all its children");
    return rsm__fail_errno(reterr, code, "waitid", name);
  }
  *ret_exit = (rsm_exit){.signaled = info.si_code != CLD_EXITED, .code = info.si_status};
  return RSM_OK;
}

static rsm_status fork_and_wait(running *run, const char *name, rsm_exit *ret_exit, rsm_error *reterr) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return rsm__fail_errno(reterr, errno, "socketpair", name);
  RSM_CLEAN_FD int ours = pair[0];
  RSM_CLEAN_FD int theirs = rsm__launch_above_streams(&pair[1]);
  if (theirs < 0) return rsm__fail_errno(reterr, errno, "fcntl", name);
  run->socket = theirs;
  sigset_t all, before;
  sigfillset(&all);
  RSM_CLEAN_FD int pidfd = -1;
  pthread_sigmask(SIG_SETMASK, &all, &before); /* none of the host's handlers may run in the child */
  pid_t pid = rsm__launch_fork(SIGCHLD, &pidfd);
  if (pid == 0) run_child(run);
  int code = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (pid < 0) return rsm__fail_errno(reterr, code, "clone3", name);
  rsm__fd_close(&theirs);
  code = hear_exec(ours);
  rsm_exit end;
  rsm_status status = wait_end(pidfd, name, &end, reterr);
  if (code) return rsm__fail_errno(reterr, code, "execve", name);
  if (status == RSM_OK) *ret_exit = end;
  return status;
}

rsm_status rsm__launch_run(const char *const *argv, size_t argc, const char *variable, const char *value,
                           rsm_exit *ret_exit, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  if (argc == 0 || !argv[0][0]) return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "there is no program to run");
  running run = {.argv = copy_arguments(argv, argc, &arena),
                 .environment = extend_environment(variable, value, &arena),
                 .candidates = find_candidates(argv[0], &arena),
                 .socket = -1};
  if (!run.argv || !run.environment || !run.candidates) return rsm__fail_memory(reterr);
  return fork_and_wait(&run, argv[0], ret_exit, reterr);
}
