/* launch_child.c: the steps between fork and exec.
 *
 * The order matters. First the starter takes hold of us, while nobody else may end us: so our number cannot become
 * another's before. Then comes what needs our rights (priority, limits), then the user's identity is taken on, then
 * everything is done with that user's rights and no more (directory, program). Only then are we put where the program
 * is to run: a user's service manager moves nobody but that user's processes. The record is the last thing before exec,
 * and is emptied again if exec fails: it is complete exactly if the program was started. Only raw system calls where
 * glibc would act for all threads (set*id) or take locks; no memory is asked for.
 *
 * call          | purpose                | blocks
 * recv          | the two words to go on | until the starter sends them or is dead, at most 15 s each
 * chdir, execve | directory and program  | on a dead network mount; the starter kills us after its limit
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/launch_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 32-bit systems have these calls twice, the older with 16-bit numbers. */
#ifdef SYS_setresuid32
enum { CALL_SETGROUPS = SYS_setgroups32, CALL_SETRESGID = SYS_setresgid32, CALL_SETRESUID = SYS_setresuid32 };
#else
enum { CALL_SETGROUPS = SYS_setgroups, CALL_SETRESGID = SYS_setresgid, CALL_SETRESUID = SYS_setresuid };
#endif

pid_t rsm__launch_fork(int exit_signal, int *ret_pidfd) {
  int pidfd = -1;
  struct clone_args args = {.flags = ret_pidfd ? CLONE_PIDFD : 0u,
                            .pidfd = (uint64_t)(uintptr_t)&pidfd,
                            .exit_signal = (unsigned)exit_signal};
  long pid = syscall(SYS_clone3, &args, sizeof args);
  /* Filters of containers answer ENOSYS to clone3, since they cannot look into its arguments. */
  if (pid < 0 && (errno == ENOSYS || errno == EPERM))
    pid = syscall(SYS_clone, args.flags | (unsigned)exit_signal, NULL, &pidfd, NULL, NULL);
  if (pid > 0 && ret_pidfd) *ret_pidfd = pidfd;
  return (pid_t)pid;
}

/* ---- Talking to the starter ---- */

static void tell(const rsm__launch_plan *plan, rsm__launch_step step, int value) {
  rsm__launch_message message = {.step = (uint32_t)step, .value = value};
  /* Nobody listens any more: then nobody needs to know. */
  send(plan->socket, &message, sizeof message, MSG_NOSIGNAL);
}

_Noreturn static void leave(const rsm__launch_plan *plan, rsm__launch_step step, int code) {
  tell(plan, step, code);
  _exit(127);
}

/* False: the starter has died or given up. Then nothing is started. */
static bool receive(const rsm__launch_plan *plan, unsigned char *to, size_t length) {
  struct pollfd ready = {.fd = plan->socket, .events = POLLIN};
  /* A time limit, since a process that our host forked at the wrong moment may keep the other end open for ever. */
  if (poll(&ready, 1, RSM__CHILD_PATIENCE_MS) <= 0) return false;
  return recv(plan->socket, to, length, MSG_DONTWAIT) == (ssize_t)length;
}

/* ---- Descriptors and signals ---- */

struct dirent_head { /* what getdents64 writes; the C library's struct is bound to its DIR */
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

static int number_of(const char *name) {
  int number = 0;
  for (; *name >= '0' && *name <= '9' && number < 100000000; name++) number = number * 10 + (*name - '0');
  return *name ? -1 : number;
}

static bool is_kept(int fd, const int *keep, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (keep[i] == fd) return true;
  return false;
}

/* Where close_range is missing or forbidden. Closing while reading may pass some over: read again until none is left.
 */
static void close_listed(int first, const int *keep, size_t count) {
  _Alignas(struct dirent_head) char entries[2048];
  int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool closed = dir >= 0;
  while (closed) {
    closed = false;
    lseek(dir, 0, SEEK_SET);
    long length;
    while ((length = syscall(SYS_getdents64, dir, entries, sizeof entries)) > 0) {
      for (long at = 0; at < length;) {
        const struct dirent_head *entry = (const struct dirent_head *)(entries + at);
        at += entry->length;
        int fd = entry->name[0] == '.' ? -1 : number_of(entry->name);
        if (fd >= first && fd != dir && !is_kept(fd, keep, count)) closed = close(fd) == 0 || closed;
      }
    }
  }
  if (dir >= 0) close(dir);
}

void rsm__launch_close_from(int first, const int *keep, size_t count) {
  unsigned from = (unsigned)first;
  bool done = true;
  for (size_t i = 0; i < count && done; i++) {
    unsigned kept = (unsigned)keep[i];
    if (kept > from) done = syscall(SYS_close_range, from, kept - 1, 0) == 0;
    from = kept + 1;
  }
  if (done) done = syscall(SYS_close_range, from, ~0u, 0) == 0;
  if (!done) close_listed(first, keep, count);
}

void rsm__launch_reset_signals(void) {
  /* The kernel's own structure, which glibc's is not; all zero is SIG_DFL. glibc would pass over its two internal
   * signals, which its posix_spawn leaves ignored in the program that it starts: our host may be one. */
  static const unsigned long defaults[16];
  sigset_t none;
  for (int number = 1; number < NSIG; number++) /* KILL, STOP: refused, rightly */
    syscall(SYS_rt_sigaction, number, defaults, NULL, (size_t)(_NSIG / 8));
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void sort_keep(int *keep, size_t count) {
  for (size_t i = 1; i < count; i++)
    for (size_t j = i; j > 0 && keep[j - 1] > keep[j]; j--) {
      int other = keep[j];
      keep[j] = keep[j - 1];
      keep[j - 1] = other;
    }
}

static int set_streams(const rsm__launch_plan *plan) {
  if (dup2(plan->input, 0) < 0 || dup2(plan->output, 1) < 0 || dup2(plan->error, 2) < 0) return errno;
  int keep[3];
  size_t count = 0;
  keep[count++] = plan->socket;
  keep[count++] = plan->record;
  if (plan->lock >= 0) keep[count++] = plan->lock;
  sort_keep(keep, count);
  rsm__launch_close_from(3, keep, count);
  return 0;
}

/* ---- What is restored as well as it can be ---- */

static int set_nice(const rsm__launch_plan *plan) {
  return setpriority(PRIO_PROCESS, 0, plan->capture->nice) < 0 ? RSM__NOTE_NICE : 0;
}

/* The hard limits, and the soft ones at their height for now: with its own soft limits (on file size, on memory) the
 * steps that follow could fail. Raising a hard limit takes rights; without them ours is the most that it can get. */
static int set_hard_limits(const rsm__launch_plan *plan) {
  int note = 0;
  for (int i = 0; plan->capture->has_limits && i < RSM__CAPTURE_LIMITS; i++) {
    struct rlimit ours;
    rlim_t hard = (rlim_t)plan->capture->limits[i].hard;
    struct rlimit wanted = {.rlim_cur = hard, .rlim_max = hard};
    if (setrlimit((enum __rlimit_resource)i, &wanted) == 0) continue;
    note = RSM__NOTE_LIMITS;
    if (getrlimit((enum __rlimit_resource)i, &ours) < 0 || ours.rlim_max <= hard) continue;
    ours.rlim_max = hard;
    if (ours.rlim_cur > hard) ours.rlim_cur = hard;
    setrlimit((enum __rlimit_resource)i, &ours);
  }
  return note;
}

static void set_soft_limits(const rsm__launch_plan *plan) {
  for (int i = 0; plan->capture->has_limits && i < RSM__CAPTURE_LIMITS; i++) {
    struct rlimit now;
    if (getrlimit((enum __rlimit_resource)i, &now) < 0) continue;
    rlim_t soft = (rlim_t)plan->capture->limits[i].soft;
    now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
    setrlimit((enum __rlimit_resource)i, &now);
  }
}

static void restore_what_can_be(const rsm__launch_plan *plan) {
  int notes = set_nice(plan) | set_hard_limits(plan);
  if (notes) tell(plan, RSM__STEP_NOTE, notes);
}

/* ---- Becoming the user ---- */

static int set_umask(const rsm__launch_plan *plan) {
  umask((mode_t)plan->capture->umask);
  return 0;
}

/* For root exec gives all of the bounding set: so that is cut to what it had. */
static uint64_t allowed_bounding(const rsm__capture *capture) {
  bool is_root = capture->uid[0] == 0 || capture->uid[1] == 0;
  return capture->cap_bounding & (is_root ? capture->cap_permitted : UINT64_MAX);
}

static int drop_bounding(const rsm__launch_plan *plan) {
  uint64_t allowed = allowed_bounding(plan->capture);
  for (unsigned long number = 0; number < 64; number++) {
    int present = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (present < 0) return 0; /* the last one that this kernel knows was before */
    if (present && !(allowed >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) return errno;
  }
  return 0;
}

static int set_groups(const rsm__launch_plan *plan) {
  if (!plan->set_groups) return 0;
  return syscall(CALL_SETGROUPS, plan->capture->group_count, plan->capture->groups) < 0 ? errno : 0;
}

static int set_group(const rsm__launch_plan *plan) {
  const uint32_t *gid = plan->capture->gid;
  return plan->set_group && syscall(CALL_SETRESGID, gid[0], gid[1], gid[2]) < 0 ? errno : 0;
}

/* glibc's setresuid would wait for threads that this process does not have. */
static int set_user(const rsm__launch_plan *plan) {
  const uint32_t *uid = plan->capture->uid;
  if (plan->set_user) {
    prctl(PR_SET_KEEPCAPS, 1UL, 0, 0, 0); /* what it may keep is lowered in the next step, for good at exec */
    if (syscall(CALL_SETRESUID, uid[0], uid[1], uid[2]) < 0) return errno;
  }
  /* The user's own processes must not reach into us (ptrace, /proc/PID/fd): we hold the record. exec ends this. */
  prctl(PR_SET_DUMPABLE, 0UL, 0, 0, 0);
  return 0;
}

static void split(uint64_t set, uint32_t *low, uint32_t *high) {
  *low = (uint32_t)set;
  *high = (uint32_t)(set >> 32);
}

static int set_ambient(uint64_t wanted) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return wanted ? errno : 0;
  for (unsigned long number = 0; number < 64; number++)
    if (wanted >> number & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0) return errno;
  return 0;
}

/* Captured and ours, of each set: never more than either. */
static int set_capabilities(const rsm__launch_plan *plan) {
  const rsm__capture *capture = plan->capture;
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2] = {{0}, {0}};
  if (syscall(SYS_capget, &head, data) < 0) return errno;
  uint64_t ours_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
  uint64_t ours_inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
  uint64_t permitted = capture->cap_permitted & ours_permitted;
  uint64_t effective = capture->cap_effective & permitted;
  uint64_t inheritable = capture->cap_inheritable & (ours_inheritable | (ours_permitted & allowed_bounding(capture)));
  split(permitted, &data[0].permitted, &data[1].permitted);
  split(effective, &data[0].effective, &data[1].effective);
  split(inheritable, &data[0].inheritable, &data[1].inheritable);
  head.version = _LINUX_CAPABILITY_VERSION_3;
  if (syscall(SYS_capset, &head, data) < 0) return errno;
  return set_ambient(capture->cap_ambient & permitted & inheritable);
}

static int set_no_new_privs(const rsm__launch_plan *plan) {
  return plan->capture->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0, 0, 0) < 0 ? errno : 0;
}

static int enter_directory(const rsm__launch_plan *plan) {
  return chdir(plan->capture->directory) < 0 ? errno : 0;
}

/* ---- The order ---- */

static const struct {
  rsm__launch_step step;
  int (*act)(const rsm__launch_plan *plan); /* 0 or errno */
} steps[] = {
    {RSM__STEP_UMASK, set_umask},
    {RSM__STEP_BOUNDING, drop_bounding},
    {RSM__STEP_GROUPS, set_groups},
    {RSM__STEP_GROUP, set_group},
    {RSM__STEP_USER, set_user},
    {RSM__STEP_CAPABILITIES, set_capabilities},
    {RSM__STEP_NO_NEW_PRIVS, set_no_new_privs},
    {RSM__STEP_DIRECTORY, enter_directory},
};

/* A short write is taken back: a torn record would hide that nothing was started. */
static void write_record(const rsm__launch_plan *plan, const unsigned char *record) {
  ssize_t put = write(plan->record, record, RSM__LAUNCH_RECORD_SIZE);
  if (put == RSM__LAUNCH_RECORD_SIZE) return;
  int code = put < 0 ? errno : ENOSPC;
  if (ftruncate(plan->record, 0) < 0) code = errno;
  leave(plan, RSM__STEP_RECORD, code);
}

static void become_program(const rsm__launch_plan *plan) {
  setsid(); /* cannot fail: a forked process leads no group */
  int code = set_streams(plan);
  if (code) leave(plan, RSM__STEP_STREAMS, code);
  restore_what_can_be(plan);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
    if ((code = steps[i].act(plan)) != 0) leave(plan, steps[i].step, code);
}

/* The starter has died, and may have asked a service manager just before to put us into a scope. A scope that is made
 * for a process which has ended by then is never empty for systemd (252), so never collected: wait until it is made.
 * Nothing is started any more, and nobody is kept waiting: record and lock are let go first. */
_Noreturn static void leave_late(void) {
  rsm__launch_close_from(3, NULL, 0);
  if (access("/run/systemd/system", F_OK) == 0) poll(NULL, 0, RSM__CHILD_LINGER_MS);
  _exit(127);
}

_Noreturn static void run_program(const rsm__launch_plan *plan) {
  unsigned char word, record[RSM__LAUNCH_RECORD_SIZE];
  close(plan->parent_socket); /* else we would never see that the starter has died */
  tell(plan, RSM__STEP_PID, (int)syscall(SYS_getpid));
  if (!receive(plan, &word, sizeof word)) _exit(127);
  become_program(plan);
  tell(plan, RSM__STEP_READY, 0);
  if (!receive(plan, record, sizeof record)) leave_late();
  rsm__launch_reset_signals();
  write_record(plan, record);
  set_soft_limits(plan);
  execve(plan->capture->exe, plan->argv, plan->environment);
  int code = errno;
  if (ftruncate(plan->record, 0) < 0) code = errno;
  leave(plan, RSM__STEP_EXEC, code);
}

_Noreturn void rsm__launch_child(const rsm__launch_plan *plan) {
  pid_t pid = rsm__launch_fork(SIGCHLD, NULL);
  if (pid == 0) run_program(plan);
  if (pid < 0) leave(plan, RSM__STEP_FORK, errno);
  _exit(0);
}
