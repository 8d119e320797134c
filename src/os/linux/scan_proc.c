/* scan_proc.c: looks at every process once. SPDX-License-Identifier: MIT
 *
 * call                  | purpose                            | blocks on
 * getdents64 /proc      | the processes, a process' threads  | nothing
 * read /proc/PID/stat   | start time, kernel thread, zombie  | nothing
 * kcmp                  | has a thread a table of its own?   | nothing
 * pidfd_open, fstat     | the process' instance number       | nothing
 * (uses.c, uses_maps.c have tables of their own)
 *
 * /proc/PID is opened once and all is read through that descriptor, which never comes to mean another process; at the
 * end the process must still be there. One that starts while we look may be missed. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/procfs.h"
#include "os/linux/scan.h"
#include "os/user.h"

enum { ENTRIES_SIZE = 64 * 1024, PIDFS_MAGIC = 0x50494446 };

typedef struct numbers {
  uint32_t *items;
  size_t count;
  size_t capacity;
} numbers;

static void numbers_done(numbers *list) {
  rsm__free(list->items);
}

static rsm_status take_numbers(numbers *list, const char *entries, ssize_t length, rsm_error *reterr) {
  for (ssize_t at = 0; at < length;) {
    const struct dirent64 *entry = (const void *)(entries + at);
    uint64_t number;
    at += entry->d_reclen;
    if (!rsm__parse_number(entry->d_name, strlen(entry->d_name), &number) || number > UINT32_MAX) continue;
    if (rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
      return rsm__fail_memory(reterr);
    list->items[list->count++] = (uint32_t)number;
  }
  return RSM_OK;
}

/* The numeric names in a directory; none if it is gone. */
static rsm_status list_numbers(int dir, const char *name, numbers *list, rsm_error *reterr) {
  RSM_CLEAN_FREE char *entries = rsm__malloc(ENTRIES_SIZE);
  if (!entries) return rsm__fail_memory(reterr);
  RSM_CLEAN_FD int listing = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || dir == AT_FDCWD)
      return rsm__fail_errno(reterr, errno, "open", name);
    return RSM_OK;
  }
  for (;;) {
    ssize_t length = getdents64(listing, entries, ENTRIES_SIZE);
    if (length <= 0) return RSM_OK;
    rsm_status status = take_numbers(list, entries, length, reterr);
    if (status != RSM_OK) return status;
  }
}

/* ---- One process ---- */

typedef struct process {
  uint32_t pid;
  int dir; /* borrowed */
  rsm__proc_stat stat;
  uint32_t speaker; /* the thread that is asked for what all threads share: the first that has not ended */
} process;

static rsm_status look_at_shared(rsm__scan *scan, int dir, rsm_error *reterr) {
  rsm_status status = rsm__uses_program(&scan->uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_descriptors(&scan->uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_mappings(&scan->uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_directories(&scan->uses, dir, reterr);
  return status;
}

/* Where kcmp is refused (seccomp, no right) threads are taken to share all, as nearly all do. */
static bool has_own(uint32_t speaker, uint32_t thread, int what) {
  return syscall(SYS_kcmp, (pid_t)speaker, (pid_t)thread, what, 0UL, 0UL) > 0;
}

static rsm_status look_at_thread(rsm__scan *scan, process *p, uint32_t thread, rsm_error *reterr) {
  char name[32];
  rsm__proc_stat stat;
  snprintf(name, sizeof name, "task/%u", thread);
  if (p->speaker == 0) { /* the leader has ended: what it shared is seen through the others */
    RSM_CLEAN_FD int dir = openat(p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || rsm__procfs_stat(dir, &stat, NULL) != RSM_OK || stat.state == 'Z' || stat.state == 'X')
      return RSM_OK;
    p->speaker = thread;
    return look_at_shared(scan, dir, reterr);
  }
  bool own_files = has_own(p->speaker, thread, KCMP_FILES);
  bool own_directories = scan->targets->has_directories && has_own(p->speaker, thread, KCMP_FS);
  if (!own_files && !own_directories) return RSM_OK;
  RSM_CLEAN_FD int dir = openat(p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return RSM_OK;
  rsm_status status = own_files ? rsm__uses_descriptors(&scan->uses, dir, reterr) : RSM_OK;
  if (status == RSM_OK && own_directories) status = rsm__uses_directories(&scan->uses, dir, reterr);
  return status;
}

static rsm_status look_at_threads(rsm__scan *scan, process *p, rsm_error *reterr) {
  RSM_CLEAN(numbers_done) numbers threads = {0};
  rsm_status status = list_numbers(p->dir, "task", &threads, reterr);
  for (size_t i = 0; i < threads.count && status == RSM_OK; i++)
    if (threads.items[i] != p->pid) status = look_at_thread(scan, p, threads.items[i], reterr);
  return status;
}

/* The pidfd's inode, where it is unique for ever (pidfs); else 0. */
static uint64_t instance_of(uint32_t pid) {
  struct statfs system;
  struct stat stat;
  RSM_CLEAN_FD int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
  if (fd < 0 || fstatfs(fd, &system) < 0 || system.f_type != PIDFS_MAGIC || fstat(fd, &stat) < 0) return 0;
  return stat.st_ino;
}

static void put_refused(char *words, size_t size, const char *what, int code, int *last) {
  if (code == 0) return;
  size_t length = strlen(words);
  snprintf(words + length, size - length, "%s%s", length > 0 ? ", " : "", what);
  *last = code;
}

/* "descriptors, mappings: Permission denied" */
static rsm_status add_refused(rsm__scan *scan, const process *p, const rsm_process *identity, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const rsm__uses *uses = &scan->uses;
  char reason[192] = "";
  int code = 0;
  put_refused(reason, 96, "descriptors", uses->descriptors_refused, &code);
  put_refused(reason, 96, "mappings", uses->mappings_refused, &code);
  put_refused(reason, 96, "program", uses->program_refused, &code);
  rsm_error words;
  rsm__fail_errno(&words, code, NULL, NULL);
  size_t length = strlen(reason);
  snprintf(reason + length, sizeof reason - length, ": %s", words.os_text);
  rsm__proc_status owner;
  rsm_unreadable entry = {.process = *identity, .name = p->stat.name, .reason = reason};
  if (rsm__procfs_status(p->dir, &arena, &owner, NULL) == RSM_OK)
    entry.user = rsm__user_name(owner.uid[RSM__EFFECTIVE], &arena);
  return rsm__scan_add_unreadable(scan, &entry, reterr);
}

/* Only if the process that we began with is still there: else what was read is nobody's. */
static rsm_status keep(rsm__scan *scan, const process *p, rsm_error *reterr) {
  const rsm__uses *uses = &scan->uses;
  bool was_refused = uses->descriptors_refused || uses->mappings_refused || uses->program_refused;
  if (uses->count == 0 && !was_refused) return RSM_OK;
  rsm__proc_stat now;
  rsm_process identity = {.pid = p->pid, .start_time = p->stat.start_time};
  if (uses->count > 0) identity.instance = instance_of(p->pid);
  if (rsm__procfs_stat(p->dir, &now, NULL) != RSM_OK || now.start_time != p->stat.start_time) return RSM_OK;
  rsm_status status = uses->count > 0 ? rsm__scan_add_holder(scan, &identity, NULL, reterr) : RSM_OK;
  return status == RSM_OK && was_refused ? add_refused(scan, p, &identity, reterr) : status;
}

static rsm_status look_at_process(rsm__scan *scan, uint32_t pid, rsm_error *reterr) {
  rsm_error error = {0};
  RSM_CLEAN_FD int dir = -1;
  rsm_status status = rsm__procfs_open(pid, &dir, &error);
  process p = {.pid = pid, .dir = dir};
  if (status == RSM_OK) status = rsm__procfs_stat(p.dir, &p.stat, &error);
  if (status == RSM_BUSY || status == RSM_OUT_OF_MEMORY) {
    if (reterr) *reterr = error;
    return status;
  }
  if (status != RSM_OK) return RSM_OK; /* has ended, or is hidden, which add_limits tells */
  bool ended = p.stat.state == 'Z' || p.stat.state == 'X';
  if ((p.stat.flags & RSM__PF_KTHREAD) || (ended && p.stat.threads <= 1)) return RSM_OK;
  rsm__uses_begin(&scan->uses);
  if (!ended) {
    p.speaker = pid;
    status = look_at_shared(scan, p.dir, reterr);
  }
  if (status == RSM_OK && p.stat.threads > 1) status = look_at_threads(scan, &p, reterr);
  return status == RSM_OK ? keep(scan, &p, reterr) : status;
}

/* ---- Processes that are hidden as a whole ---- */

static bool has_hidepid(const rsm__mounts *mounts) {
  const rsm__mount *proc = rsm__mounts_over(mounts, "/proc");
  const char *option = proc ? strstr(proc->options, "hidepid=") : NULL;
  return option && strncmp(option, "hidepid=0", 9) != 0 && strncmp(option, "hidepid=off", 11) != 0;
}

/* With hidepid, whoever may read the first process' facts may read everybody's (root, the gid= group). */
static bool sees_first_process(void) {
  RSM_CLEAN_FD int fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

static rsm_status add_limits(rsm__scan *scan, rsm_error *reterr) {
  const uint64_t initial_namespace = 0xEFFFFFFCu;
  rsm_status status = RSM_OK;
  rsm__stat ns;
  if (has_hidepid(&scan->targets->mounts) && !sees_first_process()) {
    const rsm_unreadable hidden = {.reason = "/proc is mounted with hidepid: other users' processes cannot be seen"};
    status = rsm__scan_add_unreadable(scan, &hidden, reterr);
  }
  if (status == RSM_OK && rsm__stat_at(AT_FDCWD, "/proc/self/ns/pid", 0, &ns) == 0 && ns.ino != initial_namespace) {
    const rsm_unreadable outside = {.reason =
                                        "we run in a pid namespace of our own: processes outside of it cannot be seen"};
    status = rsm__scan_add_unreadable(scan, &outside, reterr);
  }
  return status;
}

static int compare_numbers(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

rsm_status rsm__scan_processes(rsm__scan *scan, rsm_error *reterr) {
  RSM_CLEAN(numbers_done) numbers pids = {0};
  rsm_status status = add_limits(scan, reterr);
  if (status == RSM_OK) status = list_numbers(AT_FDCWD, "/proc", &pids, reterr);
  if (pids.count > 0) qsort(pids.items, pids.count, sizeof *pids.items, compare_numbers);
  for (size_t i = 0; i < pids.count && status == RSM_OK; i++) {
    if (scan->task && rsm__task_cancelled(scan->task)) return rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
    status = look_at_process(scan, pids.items[i], reterr);
  }
  return status;
}
