/* look.c: see look.h. SPDX-License-Identifier: MIT
 *
 * call                  | purpose                            | blocks on
 * getdents64            | a process' threads                 | nothing
 * read /proc/PID/stat   | start time, kernel thread, zombie  | from Linux 6.18: an exec of the process under way
 * read /proc/PID/status | user of one that may not be read   | nothing
 * kcmp                  | has a thread a table of its own?   | an exec of the process that is under way
 * pidfd_open, fstat     | the process' instance number       | nothing
 * (uses.c, uses_maps.c, mappings.c have tables of their own)
 *
 * /proc/PID is opened once and all is read through that descriptor, which never comes to mean another process; at the
 * end the process must still be there. One that starts while we look may be missed. */
#define _GNU_SOURCE
#include "os/linux/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/own_files.h"
#include "os/linux/process_handle.h"
#include "os/user.h"

enum { ENTRIES_SIZE = 64 * 1024, SELF_TRIES = 50 };

void rsm__numbers_done(rsm__numbers *list) {
  rsm__free(list->items);
}

static rsm_status take_numbers(rsm__numbers *list, const char *entries, ssize_t length, rsm_error *reterr) {
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

/* That a process has ended is nothing to tell. */
static bool is_gone(rsm_status status) {
  return status == RSM_NOT_FOUND || status == RSM_FILE_NOT_FOUND;
}

rsm_status rsm__numbers_list(int dir, const char *name, rsm__numbers *list, rsm_error *reterr) {
  RSM_CLEAN_FREE char *entries = rsm__malloc(ENTRIES_SIZE);
  if (!entries) return rsm__fail_memory(reterr);
  RSM_CLEAN_FD int listing = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) return rsm__fail_errno(reterr, errno, "openat", name);
  for (;;) {
    ssize_t length = getdents64(listing, entries, ENTRIES_SIZE);
    if (length < 0) return rsm__fail_errno(reterr, errno, "getdents64", name);
    if (length == 0) return RSM_OK;
    rsm_status status = take_numbers(list, entries, length, reterr);
    if (status != RSM_OK) return status;
  }
}

void rsm__looked_done(rsm__looked *p) {
  rsm__fd_close(&p->dir);
  rsm__arena_done(&p->arena);
}

static rsm_status look_at_shared(rsm__uses *uses, int dir, rsm_error *reterr) {
  rsm_status status = rsm__uses_program(uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_descriptors(uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_mappings(uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_directories(uses, dir, reterr);
  return status;
}

/* Where kcmp is refused (seccomp, no right) threads are taken to share all, as nearly all do. */
static bool has_own(uint32_t speaker, uint32_t thread, int what) {
  return syscall(SYS_kcmp, (pid_t)speaker, (pid_t)thread, what, 0UL, 0UL) > 0;
}

/* A thread that could not be looked at: told of its process, unless it has ended. */
static rsm_status refuse(rsm__uses *uses, const rsm_error *error, rsm_error *reterr) {
  if (is_gone(error->status)) return RSM_OK;
  if (rsm__is_shortage(error->status)) {
    *reterr = *error;
    return error->status;
  }
  uses->descriptors_refused = error->os_code ? error->os_code : EIO;
  return RSM_OK;
}

static rsm_status open_thread(const rsm__looked *p, uint32_t thread, int *ret_dir, rsm_error *reterr) {
  char name[32];
  snprintf(name, sizeof name, "task/%u", thread);
  *ret_dir = openat(p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return *ret_dir < 0 ? rsm__fail_errno(reterr, errno, "openat", name) : RSM_OK;
}

static rsm_status look_at_thread(rsm__uses *uses, rsm__looked *p, uint32_t thread, rsm_error *reterr) {
  rsm__proc_stat stat;
  rsm_error error = {0};
  RSM_CLEAN_FD int dir = -1;
  rsm__bounded_tick(uses->job);
  if (p->speaker == 0) { /* the leader has ended: what it shared is seen through the others */
    if (open_thread(p, thread, &dir, &error) != RSM_OK || rsm__procfs_stat(dir, &stat, &error) != RSM_OK)
      return refuse(uses, &error, reterr);
    if (stat.state == 'Z' || stat.state == 'X') return RSM_OK;
    p->speaker = thread;
    return look_at_shared(uses, dir, reterr);
  }
  bool own_files = has_own(p->speaker, thread, KCMP_FILES);
  bool own_directories = uses->targets->has_directories && has_own(p->speaker, thread, KCMP_FS);
  if (!own_files && !own_directories) return RSM_OK;
  if (open_thread(p, thread, &dir, &error) != RSM_OK) return refuse(uses, &error, reterr);
  rsm_status status = own_files ? rsm__uses_descriptors(uses, dir, reterr) : RSM_OK;
  if (status == RSM_OK && own_directories) status = rsm__uses_directories(uses, dir, reterr);
  return status;
}

static rsm_status look_at_threads(rsm__uses *uses, rsm__looked *p, rsm_error *reterr) {
  RSM_CLEAN(rsm__numbers_done) rsm__numbers threads = {0};
  rsm_error error = {0};
  rsm_status status = rsm__numbers_list(p->dir, "task", &threads, &error);
  if (status != RSM_OK) status = refuse(uses, &error, reterr);
  for (size_t i = 0; i < threads.count && status == RSM_OK; i++)
    if (threads.items[i] != p->pid) status = look_at_thread(uses, p, threads.items[i], reterr);
  return status;
}

uint64_t rsm__pid_instance(uint32_t pid) {
  RSM_CLEAN_FD int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
  return fd < 0 ? 0 : rsm__pidfd_instance(fd);
}

static bool is_want(int code) {
  return code != 0 && rsm__is_shortage(rsm__errno_status(code));
}

bool rsm__looked_in_want(const rsm__uses *uses) {
  return is_want(uses->descriptors_refused) || is_want(uses->mappings_refused) || is_want(uses->program_refused);
}

static void put_refused(char *words, size_t size, const char *what, int code, int *last) {
  if (code == 0) return;
  size_t length = strlen(words);
  snprintf(words + length, size - length, "%s%s", length > 0 ? ", " : "", what);
  *last = code;
}

/* "descriptors, mappings: Permission denied" */
static void describe_refusal(const rsm__uses *uses, rsm__looked *p) {
  int code = 0;
  put_refused(p->reason, 96, "descriptors", uses->descriptors_refused, &code);
  put_refused(p->reason, 96, "mappings", uses->mappings_refused, &code);
  put_refused(p->reason, 96, "program", uses->program_refused, &code);
  p->was_refused = code != 0;
  if (!p->was_refused) return;
  rsm_error words;
  rsm__fail_errno(&words, code, NULL, NULL);
  size_t length = strlen(p->reason);
  snprintf(p->reason + length, sizeof p->reason - length, ": %s", words.os_text);
}

void rsm__looked_refuse(rsm__looked *p, const char *reason) {
  rsm__proc_status owner;
  p->refusal = (rsm_unreadable){.process = p->identity, .name = p->stat.name, .reason = reason};
  if (rsm__procfs_status(p->dir, &p->arena, &owner, NULL) == RSM_OK)
    p->refusal.user = rsm__user_name(owner.uid[RSM__EFFECTIVE], &p->arena);
}

/* Only if the process that we began with is still there: else what was read is nobody's. */
static rsm_status conclude(const rsm__uses *uses, rsm__looked *p, rsm_error *reterr) {
  rsm__proc_stat now;
  p->holds = uses->count > 0;
  describe_refusal(uses, p);
  if (!p->holds && !p->was_refused) return RSM_OK;
  p->identity = (rsm_process){.pid = p->pid, .start_time = p->stat.start_time};
  if (p->holds) p->identity.instance = rsm__pid_instance(p->pid);
  rsm_status status = rsm__procfs_stat(p->dir, &now, reterr);
  if (status != RSM_OK && !is_gone(status)) return status;
  if (status != RSM_OK || now.start_time != p->stat.start_time) p->holds = p->was_refused = false;
  if (p->was_refused) rsm__looked_refuse(p, p->reason);
  return RSM_OK;
}

bool rsm__has_hidepid(const rsm__mounts *mounts) {
  const rsm__mount *proc = rsm__mounts_over(mounts, "/proc");
  const char *option = proc ? strstr(proc->options, "hidepid=") : NULL;
  return option && strncmp(option, "hidepid=0", 9) != 0 && strncmp(option, "hidepid=off", 11) != 0;
}

/* One of which not even the state can be read: hidden, which is told of all at once, or a failure. */
static void be_unseen(const rsm__uses *uses, rsm__looked *p, const rsm_error *error) {
  if (error->status == RSM_ACCESS_DENIED && rsm__has_hidepid(&uses->targets->mounts)) return;
  snprintf(p->reason, sizeof p->reason, "%s", error->os_text[0] ? error->os_text : "its state is not understood");
  p->refusal = (rsm_unreadable){.process = {.pid = p->pid}, .reason = p->reason};
  p->was_refused = true;
}

/* If the process hangs from here on, this is what is told of it. False: given up. */
static bool introduce(rsm__uses *uses, const rsm__looked *p) {
  if (!rsm__bounded_enter(uses->job)) return false;
  *p->present = (rsm_process){.pid = p->pid, .start_time = p->stat.start_time};
  rsm__bounded_leave(uses->job);
  return true;
}

static bool is_wholly_wanted(const rsm__hints *hints) {
  return hints->count == 0 || hints->items[0].kind == RSM__HINT_WHOLE;
}

static rsm_status look_at_some(rsm__uses *uses, const rsm__looked *p, rsm_error *reterr) {
  rsm__hints descriptors = rsm__hints_kind(&p->hints, RSM__HINT_DESCRIPTOR);
  rsm__hints mappings = rsm__hints_kind(&p->hints, RSM__HINT_MAPPING);
  rsm_status status = rsm__uses_program(uses, p->dir, reterr);
  if (status == RSM_OK) status = rsm__uses_some_descriptors(uses, p->dir, &descriptors, reterr);
  if (status == RSM_OK) status = rsm__uses_some_mappings(uses, p->dir, &mappings, reterr);
  if (status == RSM_OK) status = rsm__uses_directories(uses, p->dir, reterr);
  return status;
}

static rsm_status look_at_all(rsm__uses *uses, rsm__looked *p, bool ended, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  if (!ended) {
    p->speaker = p->pid;
    status = look_at_shared(uses, p->dir, reterr);
  }
  if (status == RSM_OK && p->stat.threads > 1) status = look_at_threads(uses, p, reterr);
  return status;
}

static rsm_status look_once(rsm__uses *uses, rsm__looked *p, bool ended, rsm_error *reterr) {
  rsm__uses_begin(uses, p->stat.start_time);
  return ended || is_wholly_wanted(&p->hints) ? look_at_all(uses, p, ended, reterr) : look_at_some(uses, p, reterr);
}

/* Another listing of ours may hold the very files for a moment: then we look again. */
static rsm_status look_at_self(rsm__uses *uses, rsm__looked *p, rsm_error *reterr) {
  const struct timespec moment = {.tv_nsec = 2000000};
  rsm_status status = RSM_OK;
  for (int i = 0; i < SELF_TRIES; i++) {
    unsigned before = rsm__own_files_count();
    bool held = rsm__own_files_held();
    status = look_once(uses, p, false, reterr);
    if (status != RSM_OK || uses->count == 0 || (!held && before == rsm__own_files_count())) break;
    rsm__bounded_tick(uses->job);
    nanosleep(&moment, NULL);
  }
  return status;
}

rsm_status rsm__look(rsm__uses *uses, rsm__looked *p, rsm_error *reterr) {
  rsm_error error = {0};
  rsm_status status = rsm__procfs_open(p->pid, &p->dir, &error);
  if (status == RSM_OK) status = rsm__procfs_stat(p->dir, &p->stat, &error);
  if (rsm__is_shortage(status)) {
    *reterr = error;
    return status;
  }
  if (status != RSM_OK && !is_gone(status)) be_unseen(uses, p, &error);
  if (status != RSM_OK) return RSM_OK;
  bool ended = p->stat.state == 'Z' || p->stat.state == 'X';
  if ((p->stat.flags & RSM__PF_KTHREAD) || (ended && p->stat.threads <= 1)) return RSM_OK;
  if (!introduce(uses, p)) return RSM_OK;
  status = p->pid == (uint32_t)getpid() ? look_at_self(uses, p, reterr) : look_once(uses, p, ended, reterr);
  return status == RSM_OK ? conclude(uses, p, reterr) : status;
}
