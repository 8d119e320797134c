/* scan_proc.c: looks at every process once. SPDX-License-Identifier: MIT
 *
 * call                  | purpose                            | blocks on
 * getdents64 /proc      | the processes, a process' threads  | nothing
 * read /proc/PID/stat   | start time, kernel thread, zombie  | from Linux 6.18: an exec of the process under way
 * read .../comm, status | name and user of one that hangs    | nothing
 * kcmp                  | has a thread a table of its own?   | an exec of the process that is under way
 * pidfd_open, fstat     | the process' instance number       | nothing
 * rsm__lookup_try       | all that is done to a process      | the lookup's limit, once a process that hangs
 * (uses.c, uses_maps.c have tables of their own)
 *
 * One thread looks at one process after the other, and hands each one's uses over when it is done with it. When it
 * hangs, it is given up, the process is told as unreadable, and another thread goes on behind it. Whatever the first
 * one touches when it comes back after all is its own, or does not change any more (scan.h).
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

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/linux/scan.h"
#include "os/user.h"

enum { ENTRIES_SIZE = 64 * 1024, MOST_GIVEN_UP = 4 };

static const char no_answer[] = "did not answer in time";

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

/* That a process has ended is nothing to tell. */
static bool is_gone(rsm_status status) {
  return status == RSM_NOT_FOUND || status == RSM_FILE_NOT_FOUND;
}

/* The numeric names in a directory. */
static rsm_status list_numbers(int dir, const char *name, numbers *list, rsm_error *reterr) {
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

/* ---- One process ---- */

/* A thread and all that it writes, which is its own for good once it was given up. */
typedef struct worker {
  rsm__scan *scan; /* a reference */
  size_t first;    /* of its pids, to begin with */
  rsm__bounded *job;
  rsm__uses uses;
  rsm__dead_mounts dead;
  rsm__arena arena; /* of dead */
  char doing[24];   /* "process 123" */
  rsm_status status;
  rsm_error error;
} worker;

typedef struct process {
  uint32_t pid;
  int dir;
  rsm__proc_stat stat;
  uint32_t speaker; /* the thread that is asked for what all threads share: the first that has not ended */
  rsm_process identity;
  bool holds;       /* one of ours */
  bool was_refused; /* something of it: see refusal */
  rsm_unreadable refusal;
  char reason[192];
  rsm__arena arena;
} process;

static void process_done(process *p) {
  rsm__fd_close(&p->dir);
  rsm__arena_done(&p->arena);
}

static rsm_status look_at_shared(worker *w, int dir, rsm_error *reterr) {
  rsm_status status = rsm__uses_program(&w->uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_descriptors(&w->uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_mappings(&w->uses, dir, reterr);
  if (status == RSM_OK) status = rsm__uses_directories(&w->uses, dir, reterr);
  return status;
}

/* Where kcmp is refused (seccomp, no right) threads are taken to share all, as nearly all do. */
static bool has_own(uint32_t speaker, uint32_t thread, int what) {
  return syscall(SYS_kcmp, (pid_t)speaker, (pid_t)thread, what, 0UL, 0UL) > 0;
}

/* A thread that could not be looked at: told of its process, unless it has ended. */
static rsm_status refuse(worker *w, const rsm_error *error, rsm_error *reterr) {
  if (is_gone(error->status)) return RSM_OK;
  if (rsm__is_shortage(error->status)) {
    *reterr = *error;
    return error->status;
  }
  w->uses.descriptors_refused = error->os_code ? error->os_code : EIO;
  return RSM_OK;
}

static rsm_status open_thread(const process *p, uint32_t thread, int *ret_dir, rsm_error *reterr) {
  char name[32];
  snprintf(name, sizeof name, "task/%u", thread);
  *ret_dir = openat(p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return *ret_dir < 0 ? rsm__fail_errno(reterr, errno, "openat", name) : RSM_OK;
}

static rsm_status look_at_thread(worker *w, process *p, uint32_t thread, rsm_error *reterr) {
  rsm__proc_stat stat;
  rsm_error error = {0};
  RSM_CLEAN_FD int dir = -1;
  rsm__bounded_tick(w->job);
  if (p->speaker == 0) { /* the leader has ended: what it shared is seen through the others */
    if (open_thread(p, thread, &dir, &error) != RSM_OK || rsm__procfs_stat(dir, &stat, &error) != RSM_OK)
      return refuse(w, &error, reterr);
    if (stat.state == 'Z' || stat.state == 'X') return RSM_OK;
    p->speaker = thread;
    return look_at_shared(w, dir, reterr);
  }
  bool own_files = has_own(p->speaker, thread, KCMP_FILES);
  bool own_directories = w->scan->targets.has_directories && has_own(p->speaker, thread, KCMP_FS);
  if (!own_files && !own_directories) return RSM_OK;
  if (open_thread(p, thread, &dir, &error) != RSM_OK) return refuse(w, &error, reterr);
  rsm_status status = own_files ? rsm__uses_descriptors(&w->uses, dir, reterr) : RSM_OK;
  if (status == RSM_OK && own_directories) status = rsm__uses_directories(&w->uses, dir, reterr);
  return status;
}

static rsm_status look_at_threads(worker *w, process *p, rsm_error *reterr) {
  RSM_CLEAN(numbers_done) numbers threads = {0};
  rsm_error error = {0};
  rsm_status status = list_numbers(p->dir, "task", &threads, &error);
  if (status != RSM_OK) status = refuse(w, &error, reterr);
  for (size_t i = 0; i < threads.count && status == RSM_OK; i++)
    if (threads.items[i] != p->pid) status = look_at_thread(w, p, threads.items[i], reterr);
  return status;
}

static uint64_t instance_of(uint32_t pid) {
  RSM_CLEAN_FD int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
  return fd < 0 ? 0 : rsm__pidfd_instance(fd);
}

static void put_refused(char *words, size_t size, const char *what, int code, int *last) {
  if (code == 0) return;
  size_t length = strlen(words);
  snprintf(words + length, size - length, "%s%s", length > 0 ? ", " : "", what);
  *last = code;
}

/* "descriptors, mappings: Permission denied" */
static void describe_refusal(const rsm__uses *uses, process *p) {
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

/* What is told of a process that could not be looked at, from texts that never block. */
static void describe_unreadable(process *p, const char *reason) {
  rsm__proc_status owner;
  p->refusal = (rsm_unreadable){.process = p->identity, .name = p->stat.name, .reason = reason};
  if (rsm__procfs_status(p->dir, &p->arena, &owner, NULL) == RSM_OK)
    p->refusal.user = rsm__user_name(owner.uid[RSM__EFFECTIVE], &p->arena);
}

/* Only if the process that we began with is still there: else what was read is nobody's. */
static rsm_status conclude(const rsm__uses *uses, process *p, rsm_error *reterr) {
  rsm__proc_stat now;
  p->holds = uses->count > 0;
  describe_refusal(uses, p);
  if (!p->holds && !p->was_refused) return RSM_OK;
  p->identity = (rsm_process){.pid = p->pid, .start_time = p->stat.start_time};
  if (p->holds) p->identity.instance = instance_of(p->pid);
  rsm_status status = rsm__procfs_stat(p->dir, &now, reterr);
  if (status != RSM_OK && !is_gone(status)) return status;
  if (status != RSM_OK || now.start_time != p->stat.start_time) p->holds = p->was_refused = false;
  if (p->was_refused) describe_unreadable(p, p->reason);
  return RSM_OK;
}

static bool has_hidepid(const rsm__mounts *mounts) {
  const rsm__mount *proc = rsm__mounts_over(mounts, "/proc");
  const char *option = proc ? strstr(proc->options, "hidepid=") : NULL;
  return option && strncmp(option, "hidepid=0", 9) != 0 && strncmp(option, "hidepid=off", 11) != 0;
}

/* One of which not even the state can be read: hidden, which add_limits tells of all at once, or a failure. */
static void be_unseen(const worker *w, process *p, const rsm_error *error) {
  if (error->status == RSM_ACCESS_DENIED && has_hidepid(&w->scan->targets.mounts)) return;
  snprintf(p->reason, sizeof p->reason, "%s", error->os_text[0] ? error->os_text : "its state is not understood");
  p->refusal = (rsm_unreadable){.process = {.pid = p->pid}, .reason = p->reason};
  p->was_refused = true;
}

/* If the process hangs from here on, this is what is told of it. False: given up. */
static bool introduce(worker *w, const process *p) {
  if (!rsm__bounded_enter(w->job)) return false;
  w->scan->present = (rsm_process){.pid = p->pid, .start_time = p->stat.start_time};
  rsm__bounded_leave(w->job);
  return true;
}

static rsm_status look_at_process(worker *w, process *p, rsm_error *reterr) {
  rsm_error error = {0};
  rsm_status status = rsm__procfs_open(p->pid, &p->dir, &error);
  if (status == RSM_OK) status = rsm__procfs_stat(p->dir, &p->stat, &error);
  if (rsm__is_shortage(status)) {
    *reterr = error;
    return status;
  }
  if (status != RSM_OK && !is_gone(status)) be_unseen(w, p, &error);
  if (status != RSM_OK) return RSM_OK;
  bool ended = p->stat.state == 'Z' || p->stat.state == 'X';
  if ((p->stat.flags & RSM__PF_KTHREAD) || (ended && p->stat.threads <= 1)) return RSM_OK;
  if (!introduce(w, p)) return RSM_OK;
  rsm__uses_begin(&w->uses);
  if (!ended) {
    p->speaker = p->pid;
    status = look_at_shared(w, p->dir, reterr);
  }
  if (status == RSM_OK && p->stat.threads > 1) status = look_at_threads(w, p, reterr);
  return status == RSM_OK ? conclude(&w->uses, p, reterr) : status;
}

/* ---- A thread's part ---- */

static void free_worker(void *argument) {
  worker *w = argument;
  rsm__uses_done(&w->uses);
  rsm__arena_done(&w->arena);
  rsm__scan_unref(w->scan);
  rsm__free(w);
}

static rsm_status new_worker(rsm__scan *scan, worker **ret_worker, rsm_error *reterr) {
  worker *w = rsm__calloc(1, sizeof *w);
  if (!w) return rsm__fail_memory(reterr);
  atomic_fetch_add(&scan->references, 1);
  w->scan = scan;
  w->first = scan->next;
  w->uses = (rsm__uses){.targets = &scan->targets, .dead = &w->dead, .doing = w->doing};
  rsm_status status = rsm__lookup_dead(scan->targets.lookup, &w->arena, &w->dead, reterr);
  if (status != RSM_OK)
    free_worker(w);
  else
    *ret_worker = w;
  return status;
}

/* False: the thread ends here. */
static bool work_on(worker *w, uint32_t pid) {
  rsm__scan *scan = w->scan;
  RSM_CLEAN(process_done) process p = {.pid = pid, .dir = -1};
  snprintf(w->doing, sizeof w->doing, "process %u", pid);
  if (!rsm__bounded_touch(w->job, w->doing)) return false;
  rsm_status status = look_at_process(w, &p, &w->error);
  if (!rsm__bounded_enter(w->job)) return false;
  scan->next++;
  if (status == RSM_OK && p.holds) status = rsm__scan_add_holder(scan, &p.identity, NULL, &w->uses, &w->error);
  if (status == RSM_OK && p.was_refused) status = rsm__scan_add_unreadable(scan, &p.refusal, &w->error);
  w->status = status;
  rsm__bounded_leave(w->job);
  return status == RSM_OK;
}

static void work(rsm__bounded *job, void *argument) {
  worker *w = argument;
  w->job = w->uses.job = job;
  for (size_t i = w->first; i < w->scan->pid_count; i++)
    if (!work_on(w, w->scan->pids[i])) return;
}

/* ---- Processes that are hidden as a whole ---- */

/* With hidepid, whoever may read the first process' facts may read everybody's (root, the gid= group). */
static bool sees_first_process(void) {
  RSM_CLEAN_FD int fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

static rsm_status add_limits(rsm__scan *scan, rsm_error *reterr) {
  const uint64_t initial_namespace = 0xEFFFFFFCu;
  rsm_status status = RSM_OK;
  rsm__stat ns;
  if (has_hidepid(&scan->targets.mounts) && !sees_first_process()) {
    const rsm_unreadable hidden = {.reason = "/proc is mounted with hidepid: other users' processes cannot be seen"};
    status = rsm__scan_add_unreadable(scan, &hidden, reterr);
  }
  int code = rsm__stat_at(AT_FDCWD, "/proc/self/ns/pid", 0, &ns);
  if (status == RSM_OK && code != 0) {
    const rsm_unreadable unknown = {.path = "/proc/self/ns/pid",
                                    .reason = "cannot be read: perhaps there are processes that cannot be seen"};
    status = rsm__scan_add_unreadable(scan, &unknown, reterr);
  } else if (status == RSM_OK && ns.ino != initial_namespace) {
    const rsm_unreadable outside = {.reason =
                                        "we run in a pid namespace of our own: processes outside of it cannot be seen"};
    status = rsm__scan_add_unreadable(scan, &outside, reterr);
  }
  return status;
}

/* ---- Processes that do not answer ---- */

/* Its stat is not read here: it may be just that which hangs. False: it has ended, which is nothing to tell. */
static bool describe_silent(process *p, const rsm_process *known) {
  RSM_CLEAN_BUFFER rsm__buffer name = {0};
  if (rsm__procfs_open(p->pid, &p->dir, NULL) != RSM_OK) return false;
  if (rsm__procfs_read(p->dir, "comm", sizeof p->stat.name, &name, NULL) != RSM_OK) return false;
  snprintf(p->stat.name, sizeof p->stat.name, "%.*s", (int)strcspn((const char *)name.data, "\n"),
           (const char *)name.data);
  p->identity = *known;
  describe_unreadable(p, no_answer);
  return true;
}

/* A race remains: the pid may be another process' by now; then that one was not looked at either. */
static rsm_status give_up_process(rsm__scan *scan, rsm__bounded *stuck, rsm_error *reterr) {
  RSM_CLEAN(process_done) process p = {.pid = scan->pids[scan->next++], .dir = -1};
  rsm_process known = {.pid = p.pid, .instance = instance_of(p.pid)};
  if (scan->present.pid == p.pid) known.start_time = scan->present.start_time;
  if (!describe_silent(&p, &known)) {
    rsm__bounded_unref(stuck);
    return RSM_OK;
  }
  rsm_status status = rsm__lookup_remember_process(scan->targets.lookup, &known, true, stuck, reterr);
  return status == RSM_OK ? rsm__scan_add_unreadable(scan, &p.refusal, reterr) : status;
}

static void drop_pid(rsm__scan *scan, uint32_t pid) {
  size_t kept = 0;
  for (size_t i = 0; i < scan->pid_count; i++)
    if (scan->pids[i] != pid) scan->pids[kept++] = scan->pids[i];
  scan->pid_count = kept;
}

/* Without pidfs its stat tells: a kernel that old does not let it hang. */
static bool is_still(const rsm_process *known) {
  rsm__proc_stat stat;
  RSM_CLEAN_FD int dir = -1;
  if (known->instance) return instance_of(known->pid) == known->instance;
  return rsm__procfs_open(known->pid, &dir, NULL) == RSM_OK && rsm__procfs_stat(dir, &stat, NULL) == RSM_OK &&
         stat.start_time == known->start_time;
}

/* Those at which threads of earlier listings still hang are not asked again. */
static rsm_status skip_stalled(rsm__scan *scan, rsm_error *reterr) {
  rsm_process stalled;
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && rsm__lookup_stalled_at(scan->targets.lookup, i, &stalled); i++) {
    RSM_CLEAN(process_done) process p = {.pid = stalled.pid, .dir = -1};
    if (!is_still(&stalled) || !describe_silent(&p, &stalled)) continue;
    drop_pid(scan, p.pid);
    status = rsm__scan_add_unreadable(scan, &p.refusal, reterr);
  }
  return status;
}

static rsm_status add_rest(rsm__scan *scan, rsm_error *reterr) {
  char reason[128];
  snprintf(reason, sizeof reason, "too many processes did not answer in time: %zu others were not looked at",
           scan->pid_count - scan->next);
  const rsm_unreadable rest = {.reason = reason};
  return rsm__scan_add_unreadable(scan, &rest, reterr);
}

/* ---- All processes ---- */

static int compare_numbers(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

/* One thread's go. RSM_TIMEOUT: it was given up; *given_up counts those that hang at a process. */
static rsm_status try_processes(rsm__scan *scan, unsigned *given_up, rsm_error *reterr) {
  worker *w = NULL;
  rsm__bounded *stuck = NULL;
  rsm__lookup *lookup = scan->targets.lookup;
  if (scan->task && rsm__task_cancelled(scan->task)) return rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
  rsm_status status = new_worker(scan, &w, reterr);
  if (status != RSM_OK) return status;
  status = rsm__lookup_try(lookup, work, free_worker, w, scan->task, &stuck, reterr);
  if (status == RSM_OK) {
    status = w->status;
    if (status != RSM_OK && reterr) *reterr = w->error;
    free_worker(w);
    return status;
  }
  if (status != RSM_TIMEOUT || !stuck) return status;
  if (rsm__bounded_stuck_at(stuck)[0] == '/') { /* where a deleted file's name leads: the process is tried again */
    status = rsm__lookup_remember_mount(lookup, stuck, reterr);
  } else {
    ++*given_up;
    status = give_up_process(scan, stuck, reterr);
  }
  return status == RSM_OK ? RSM_TIMEOUT : status;
}

rsm_status rsm__scan_processes(rsm__scan *scan, rsm_error *reterr) {
  RSM_CLEAN(numbers_done) numbers pids = {0};
  rsm_status status = add_limits(scan, reterr);
  if (status == RSM_OK) status = list_numbers(AT_FDCWD, "/proc", &pids, reterr);
  if (status != RSM_OK) return status;
  if (pids.count > 0) qsort(pids.items, pids.count, sizeof *pids.items, compare_numbers);
  scan->pids = pids.items;
  scan->pid_count = pids.count;
  pids = (numbers){0};
  status = skip_stalled(scan, reterr);
  if (status != RSM_OK) return status;
  unsigned given_up = 0;
  do status = try_processes(scan, &given_up, reterr);
  while (status == RSM_TIMEOUT && given_up < MOST_GIVEN_UP && scan->next < scan->pid_count);
  if (status != RSM_TIMEOUT) return status;
  return scan->next < scan->pid_count ? add_rest(scan, reterr) : RSM_OK;
}
