/* process.c: pidfds. Order everywhere: open the pidfd, read, see that the process is still there; act by the pidfd.
 * Where the kernel's pidfds have inodes (pidfs) these tell processes apart that got the same pid in the same clock
 * tick. No call here waits for the other process but rsm__process_ask of a shell, which reads its arguments (procfs.h):
 * within a limit, if rsm__process_within gave one. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/linux/question.h"
#include "os/linux/reading.h"
#include "os/linux/shell.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum {
  PIDFS_MAGIC = 0x50494446,
  LARGEST_PID = 1 << 22,
  COMMAND_LIMIT = 2 << 20,
  FDINFO_LIMIT = 4096,
  LEAST_BUDGET = 8
};

struct rsm__process {
  rsm_process id;
  int pidfd;
  rsm__lookup *lookup; /* these two are borrowed and may be NULL: rsm__process_within */
  rsm__task *task;
  rsm__ahead *ahead; /* NULL: none */
};

typedef struct pid_text {
  char text[16];
} pid_text;

static pid_text name_pid(uint32_t pid) {
  pid_text name;
  snprintf(name.text, sizeof name.text, "%" PRIu32, pid);
  return name;
}

static rsm_status fail_gone(uint32_t pid, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_NOT_FOUND, name_pid(pid).text, "there is no such process");
}

/* ---- The handle -------------------------------------------------------------------------------------------------- */

static bool has_ended(int pidfd) {
  struct pollfd element = {.fd = pidfd, .events = POLLIN};
  int count;
  do count = poll(&element, 1, 0);
  while (count < 0 && errno == EINTR);
  return count > 0 && (element.revents & (POLLIN | POLLHUP)) != 0;
}

/* The same for all pidfds of a kernel. */
static bool has_pidfs(int pidfd) {
  static atomic_int known; /* 0: not yet; 1: it has; 2: it has not */
  int answer = atomic_load(&known);
  struct statfs system;
  if (answer == 0 && fstatfs(pidfd, &system) == 0) {
    answer = system.f_type == PIDFS_MAGIC ? 1 : 2;
    atomic_store(&known, answer);
  }
  return answer == 1;
}

uint64_t rsm__pidfd_instance(int pidfd) {
  struct stat file;
  return has_pidfs(pidfd) && fstat(pidfd, &file) == 0 ? file.st_ino : 0;
}

static rsm_status open_pidfd(uint32_t pid, int *ret_pidfd, rsm_error *reterr) {
  if (pid == 0 || pid > LARGEST_PID) return fail_gone(pid, reterr);
  int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0); /* is close-on-exec by itself */
  int code = errno;
  /* EINVAL, since Linux 6.16 ENOENT: it is a thread, but not a process' first one. */
  if (pidfd < 0 && (code == ESRCH || code == EINVAL || code == ENOENT)) return fail_gone(pid, reterr);
  if (pidfd < 0) return rsm__fail_errno(reterr, code, "pidfd_open", name_pid(pid).text);
  *ret_pidfd = pidfd;
  return RSM_OK;
}

static rsm_status fail_hidden(uint32_t pid, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_ACCESS_DENIED, name_pid(pid).text, "/proc does not show us this process (hidepid)");
}

/* The pidfd's process was not reaped when /proc/PID was opened, so the pid was still its own. */
static rsm_status open_proc(uint32_t pid, int pidfd, int *ret_dir, rsm_error *reterr) {
  RSM_CLEAN_FD int dir = -1;
  rsm_status status = rsm__procfs_open(pid, &dir, reterr);
  if (has_ended(pidfd)) return fail_gone(pid, reterr);
  if (status == RSM_NOT_FOUND) return fail_hidden(pid, reterr);
  if (status == RSM_OK) *ret_dir = rsm__fd_take(&dir);
  return status;
}

rsm_status rsm__process_open_proc(const rsm__process *process, int *ret_dir, rsm_error *reterr) {
  return open_proc(process->id.pid, process->pidfd, ret_dir, reterr);
}

/* Inside `unshare --pid` without a /proc of its own the numbers there are another namespace's: we would look at one
 * process and signal another. fdinfo tells the pidfd's number in /proc's own counting; -1 once it has been reaped. */
static bool is_numbered_alike(uint32_t pid, int pidfd) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  char path[40];
  const char *value;
  size_t length;
  uint64_t number;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  if (rsm__procfs_read_one(AT_FDCWD, path, FDINFO_LIMIT, &content, NULL) != RSM_OK) return true;
  if (!rsm__parse_line((const char *)content.data, content.length, "Pid:", &value, &length)) return true;
  return !rsm__parse_number(value, length, &number) || number == pid;
}

static rsm_status identify(uint32_t pid, int pidfd, rsm_process *ret_id, rsm_error *reterr) {
  RSM_CLEAN_FD int dir = -1;
  if (!is_numbered_alike(pid, pidfd))
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, name_pid(pid).text,
                     "/proc shows another pid namespace than ours: mount a new one");
  rsm_status status = open_proc(pid, pidfd, &dir, reterr);
  if (status != RSM_OK) return status;
  rsm__proc_stat stat;
  status = rsm__procfs_stat(dir, &stat, reterr);
  if (status != RSM_OK && has_ended(pidfd)) return fail_gone(pid, reterr);
  if (status == RSM_NOT_FOUND) return fail_hidden(pid, reterr); /* the folder can be opened, not what is in it */
  if (status != RSM_OK) return status;
  *ret_id = (rsm_process){.pid = pid, .start_time = stat.start_time, .instance = rsm__pidfd_instance(pidfd)};
  return RSM_OK;
}

static bool names_same(const rsm_process *wanted, const rsm_process *found) {
  if (wanted->start_time && wanted->start_time != found->start_time) return false;
  return !wanted->instance || !found->instance || wanted->instance == found->instance;
}

rsm_status rsm__process_open(const rsm_process *id, rsm__process **ret_process, rsm_error *reterr) {
  RSM_CLEAN_FD int pidfd = -1;
  rsm_status status = open_pidfd(id->pid, &pidfd, reterr);
  if (status != RSM_OK) return status;
  rsm_process found = {0};
  status = identify(id->pid, pidfd, &found, reterr);
  if (status != RSM_OK) return status;
  if (!names_same(id, &found) || has_ended(pidfd)) return fail_gone(id->pid, reterr);
  rsm__process *process = rsm__malloc(sizeof *process);
  if (!process) return rsm__fail_memory(reterr);
  *process = (rsm__process){.id = found, .pidfd = rsm__fd_take(&pidfd)};
  *ret_process = process;
  return RSM_OK;
}

rsm__process *rsm__process_close(rsm__process *process) {
  if (!process) return NULL;
  rsm__ahead_free(process->ahead);
  rsm__fd_close(&process->pidfd);
  rsm__free(process);
  return NULL;
}

const rsm_process *rsm__process_id(const rsm__process *process) {
  return &process->id;
}

int rsm__process_pidfd(const rsm__process *process) {
  return process->pidfd;
}

void rsm__process_within(rsm__process *process, rsm__lookup *lookup, rsm__task *task) {
  process->lookup = lookup;
  process->task = task;
}

void rsm__process_read_ahead(rsm__process *process) {
  if (process->lookup && !process->ahead) process->ahead = rsm__ahead_begin(process, process->lookup, process->task);
}

rsm__ahead *rsm__process_ahead(const rsm__process *process) {
  return process->ahead;
}

rsm_status rsm__process_read(const rsm__process *process, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                             void *argument, rsm_error *reterr) {
  if (process->lookup)
    return rsm__question_ask(process->lookup, &process->id, work, free_argument, argument, process->task, reterr);
  work(NULL, argument);
  return RSM_OK;
}

rsm_status rsm__process_parent(const rsm__process *process, rsm_process *ret_parent, rsm_error *reterr) {
  RSM_CLEAN_FD int dir = -1;
  rsm_status status = rsm__process_open_proc(process, &dir, reterr);
  return status == RSM_OK ? rsm__procfs_parent(dir, NULL, ret_parent, reterr) : status;
}

bool rsm__process_alive(const rsm__process *process) {
  return !has_ended(process->pidfd);
}

/* ---- Signals ----------------------------------------------------------------------------------------------------- */

static rsm_status send_signal(const rsm__process *process, int number, rsm_error *reterr) {
  if (has_ended(process->pidfd)) return fail_gone(process->id.pid, reterr); /* a zombie takes signals without effect */
  if (syscall(SYS_pidfd_send_signal, process->pidfd, number, NULL, 0) == 0) return RSM_OK;
  int code = errno;
  if (code == ESRCH) return fail_gone(process->id.pid, reterr);
  return rsm__fail_errno(reterr, code, "pidfd_send_signal", name_pid(process->id.pid).text);
}

rsm_status rsm__process_permit(const rsm__process *process, rsm_error *reterr) {
  return send_signal(process, 0, reterr);
}

rsm_status rsm__process_kill(const rsm__process *process, rsm_error *reterr) {
  return send_signal(process, SIGKILL, reterr);
}

typedef struct shell_job {
  int dir; /* /proc/PID */
  rsm__arena arena;
  const char *exe;
  bool interactive;
} shell_job;

static void free_shell_job(void *argument) {
  shell_job *job = argument;
  rsm__fd_close(&job->dir);
  rsm__arena_done(&job->arena);
  rsm__free(job);
}

static void read_shell(rsm__bounded *bounded, void *argument) {
  shell_job *job = argument;
  const char *const *args;
  size_t count;
  (void)bounded;
  if (rsm__procfs_texts(job->dir, "cmdline", COMMAND_LIMIT, &job->arena, &args, &count, NULL) != RSM_OK) return;
  job->interactive = rsm__shell_is_interactive(job->exe, args, count);
}

/* Takes dir over. */
static bool has_shell_arguments(const rsm__process *process, int *dir, const char *exe) {
  shell_job *job = rsm__calloc(1, sizeof *job);
  if (!job) return false;
  job->dir = rsm__fd_take(dir);
  job->exe = rsm__arena_strdup(&job->arena, exe);
  if (!job->exe) {
    free_shell_job(job);
    return false;
  }
  if (rsm__process_read(process, read_shell, free_shell_job, job, NULL) != RSM_OK) return false;
  bool interactive = job->interactive;
  free_shell_job(job);
  return interactive;
}

/* What cannot be read, or not in time, is no shell: it gets the ordinary signal. */
static bool is_interactive_shell(const rsm__process *process) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN_FD int dir = -1;
  rsm__proc_stat stat;
  if (rsm__process_open_proc(process, &dir, NULL) != RSM_OK) return false;
  if (rsm__procfs_stat(dir, &stat, NULL) != RSM_OK || !stat.terminal) return false;
  const char *exe = stat.name; /* the same name for a shell that was not renamed, where the link may not be read */
  (void)rsm__procfs_exe(dir, &arena, &exe, NULL);
  return rsm__shell_is_program(exe) && has_shell_arguments(process, &dir, exe);
}

rsm_status rsm__process_ask(rsm__process *process, const rsm_process *company, size_t count, rsm_error *reterr) {
  (void)company;
  (void)count;
  rsm_status status = send_signal(process, is_interactive_shell(process) ? SIGHUP : SIGTERM, reterr);
  if (status != RSM_OK) return status;
  /* It has been asked, whatever becomes of this one: it may have obeyed already, or does so when it wakes. */
  (void)send_signal(process, SIGCONT, NULL);
  return RSM_OK;
}

rsm_status rsm__process_answer(const rsm__process *process, rsm_error *reterr) {
  (void)process;
  (void)reterr;
  return RSM_OK; /* a signal needs nobody's consent */
}

void rsm__process_proceed(const rsm__process *process) {
  (void)process;
}

bool rsm__process_withdraw(const rsm__process *process) {
  (void)process;
  return false; /* too late */
}

/* ---- Ourselves --------------------------------------------------------------------------------------------------- */

uint32_t rsm__process_self(void) {
  return (uint32_t)getpid();
}

const char *rsm__process_environment(const char *name) {
  return secure_getenv(name);
}

static int clean_close_dir(DIR **dir) {
  return *dir ? closedir(*dir) : 0;
}

static size_t count_descriptors(void) {
  RSM_CLEAN(clean_close_dir) DIR *dir = opendir("/proc/self/fd");
  size_t count = 0;
  if (!dir) return 0;
  while (readdir(dir)) count++;
  return count > 3 ? count - 3 : 0; /* ".", ".." and the one that is read through */
}

size_t rsm__process_budget(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return LEAST_BUDGET;
  size_t most = limit.rlim_cur > LARGEST_PID ? LARGEST_PID : (size_t)limit.rlim_cur;
  size_t used = count_descriptors();
  size_t half = most > used ? (most - used) / 2 : 0;
  return half < LEAST_BUDGET ? LEAST_BUDGET : half;
}

rsm_status rsm__process_here(rsm__here *ret_here, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_status status = rsm__procfs_read_one(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256, &content, reterr);
  if (status == RSM_NOT_FOUND)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, "/proc", "the proc file system is not mounted, or only a part of it");
  if (status != RSM_OK) return status;
  rsm__here here = {0};
  size_t length = strcspn((const char *)content.data, "\n");
  if (length == 0 || length >= sizeof here.boot)
    return rsm__fail(reterr, RSM_GEN_FAILURE, "/proc/sys/kernel/random/boot_id", "the kernel's text is not whole");
  memcpy(here.boot, content.data, length);
  struct stat space;
  if (stat("/proc/self/ns/pid", &space) != 0) return rsm__fail_errno(reterr, errno, "stat", "/proc/self/ns/pid");
  here.pid_namespace = space.st_ino;
  *ret_here = here;
  return RSM_OK;
}
