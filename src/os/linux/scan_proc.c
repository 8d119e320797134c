/* scan_proc.c: has every process looked at once. SPDX-License-Identifier: MIT
 *
 * call                  | purpose                          | blocks on
 * getdents64 /proc      | the processes                    | nothing
 * read .../comm, status | name and user of one that hangs  | nothing
 * pidfd_open, fstat     | its instance number              | nothing
 * rsm__lookup_try       | all that is done to a process    | the lookup's limit, once a process that hangs
 * rsm__bounded_wait     | the second thread's end          | HELPERS_END_MS, if it hangs
 * (look.c has a table of its own)
 *
 * One thread looks at one process after the other, and hands each one's uses over when it is done with it. When it
 * hangs, it is given up, the process is told as unreadable, and another thread goes on behind it. Whatever the first
 * one touches when it comes back after all is its own, or does not change any more (scan.h).
 *
 * Where there is a second processor, a helper does the same from the end, until the two meet in one process: whoever is
 * done with that first ends it. Nobody depends on the helper: when it fails or hangs, the first thread gets to that
 * process, too, and tells what is to be told. One that starts while we look may be missed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/look.h"
#include "os/linux/os_error.h"
#include "os/linux/processors.h"
#include "os/linux/question.h"
#include "os/linux/scan.h"
#include "os/linux/scanner.h"
#include "os/user.h"

enum {
  MOST_GIVEN_UP = 4,
  WORTH_TWO = 10,       /* processes: for fewer a second thread takes longer to start than it saves */
  HELPERS_FDS = 8,      /* as many as it could want at once */
  HELPERS_END_MS = 500, /* for the helper to come back when it is not needed any more, */
  HELPERS_HANG_MS = 50, /* and where others hung, so that it probably does, too */
  NANO = 1000000000
};

static const char no_answer[] = "did not answer in time";

/* ---- A thread's part ---- */

/* A thread and all that it writes, which is its own for good once it was given up. */
typedef struct worker {
  rsm__scan *scan;     /* a reference */
  size_t at;           /* of its pids */
  bool backward;       /* the helper */
  rsm_process present; /* its own: nobody asks for that */
  rsm__bounded *job;
  rsm__uses uses;
  rsm__dead_mounts dead;
  rsm__arena arena; /* of dead */
  char doing[24];   /* "process 123" */
  rsm_status status;
  rsm_error error;
} worker;

static void free_worker(void *argument) {
  worker *w = argument;
  rsm__uses_done(&w->uses);
  rsm__arena_done(&w->arena);
  rsm__scan_unref(w->scan);
  rsm__free(w);
}

static void read_clocks(rsm__uses *uses) {
  struct timespec real = {0}, boot = {0};
  long rate = sysconf(_SC_CLK_TCK);
  clock_gettime(CLOCK_REALTIME, &real);
  clock_gettime(CLOCK_BOOTTIME, &boot);
  uses->boot_time = ((int64_t)real.tv_sec - boot.tv_sec) * NANO + (real.tv_nsec - boot.tv_nsec);
  uses->tick = NANO / (rate > 0 ? rate : 100);
}

static rsm_status new_worker(rsm__scan *scan, bool backward, worker **ret_worker, rsm_error *reterr) {
  worker *w = rsm__calloc(1, sizeof *w);
  if (!w) return rsm__fail_memory(reterr);
  atomic_fetch_add(&scan->references, 1);
  w->scan = scan;
  w->backward = backward;
  w->uses = (rsm__uses){.targets = &scan->targets, .dead = &w->dead, .enough = &scan->enough, .doing = w->doing};
  read_clocks(&w->uses);
  rsm_status status = rsm__lookup_dead(scan->targets.lookup, &w->arena, &w->dead, reterr);
  if (status != RSM_OK)
    free_worker(w);
  else
    *ret_worker = w;
  return status;
}

/* Within scan->mutex. False: the other thread was faster, or nobody waits any more, so that the look was cut short. */
static bool is_wanted(const rsm__scan *scan, size_t at) {
  return !atomic_load(&scan->enough) && scan->next <= at && at < scan->end;
}

/* The process that is next in this thread's direction. False: none is left. */
static bool take_next(worker *w) {
  rsm__scan *scan = w->scan;
  pthread_mutex_lock(&scan->mutex);
  w->at = w->backward ? scan->end - 1 : scan->next;
  bool left = !atomic_load(&scan->enough) && scan->next < scan->end;
  pthread_mutex_unlock(&scan->mutex);
  return left;
}

static rsm_status add_findings(rsm__findings *found, const worker *w, const rsm__looked *p, rsm_error *reterr) {
  size_t count = found->count;
  rsm_status status = RSM_OK;
  if (p->holds) status = rsm__findings_add_holder(found, &p->identity, NULL, &w->uses, reterr);
  if (status == RSM_OK && p->was_refused) status = rsm__findings_add_unreadable(found, &p->refusal, reterr);
  if (status != RSM_OK) found->count = count;
  return status;
}

/* Within rsm__bounded_enter. */
static rsm_status hand_over(worker *w, const rsm__looked *p) {
  rsm__scan *scan = w->scan;
  rsm_status status = RSM_OK;
  pthread_mutex_lock(&scan->mutex);
  if (is_wanted(scan, w->at)) {
    status = add_findings(w->backward ? &scan->behind : &scan->found, w, p, &w->error);
    if (status == RSM_OK && w->backward) scan->end = w->at;
    if (status == RSM_OK && !w->backward) scan->next = w->at + 1;
  }
  if (scan->next >= scan->end) atomic_store(&scan->enough, true);
  pthread_mutex_unlock(&scan->mutex);
  return status;
}

/* False: the thread ends here. */
static bool work_on(worker *w, uint32_t pid) {
  RSM_CLEAN(rsm__looked_done) rsm__looked p = {.pid = pid, .dir = -1};
  p.present = w->backward ? &w->present : &w->scan->present;
  if (w->scan->hinted) p.hints = rsm__hints_of(&w->scan->hints, p.pid);
  snprintf(w->doing, sizeof w->doing, "process %u", pid);
  if (!rsm__bounded_touch(w->job, w->doing)) return false;
  rsm_status status = rsm__look(&w->uses, &p, &w->error);
  if (w->backward && rsm__looked_in_want(&w->uses)) return false; /* the first thread tells, if it wants for it, too */
  if (!rsm__bounded_enter(w->job)) return false;
  if (status == RSM_OK) status = hand_over(w, &p);
  w->status = status;
  rsm__bounded_leave(w->job);
  return status == RSM_OK;
}

static void work(rsm__bounded *job, void *argument) {
  worker *w = argument;
  w->job = w->uses.job = job;
  while (take_next(w) && work_on(w, w->scan->pids[w->at])) continue;
}

/* ---- Processes that are hidden as a whole ---- */

/* With hidepid, whoever may read the first process' facts may read everybody's (root, the gid= group). */
static bool sees_first_process(void) {
  RSM_CLEAN_FD int fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

static rsm_status add_limits(rsm__scan *scan, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  rsm__stat ns;
  if (rsm__has_hidepid(&scan->targets.mounts) && !sees_first_process()) {
    const rsm_unreadable hidden = {.reason = "/proc is mounted with hidepid: other users' processes cannot be seen"};
    status = rsm__findings_add_unreadable(&scan->found, &hidden, reterr);
  }
  int code = rsm__stat_at(AT_FDCWD, "/proc/self/ns/pid", 0, &ns);
  if (status == RSM_OK && code != 0) {
    const rsm_unreadable unknown = {.path = "/proc/self/ns/pid",
                                    .reason = "cannot be read: perhaps there are processes that cannot be seen"};
    status = rsm__findings_add_unreadable(&scan->found, &unknown, reterr);
  } else if (status == RSM_OK && ns.ino != RSM__FIRST_PID_NAMESPACE) {
    const rsm_unreadable outside = {.reason =
                                        "we run in a pid namespace of our own: processes outside of it cannot be seen"};
    status = rsm__findings_add_unreadable(&scan->found, &outside, reterr);
  }
  return status;
}

/* ---- Processes that do not answer ---- */

/* Its stat is not read here: it may be just that which hangs. False: it has ended, which is nothing to tell. */
static bool describe_silent(rsm__looked *p, const rsm_process *known) {
  RSM_CLEAN_BUFFER rsm__buffer name = {0};
  if (rsm__procfs_open(p->pid, &p->dir, NULL) != RSM_OK) return false;
  if (rsm__procfs_read_one(p->dir, "comm", sizeof p->stat.name, &name, NULL) != RSM_OK) return false;
  snprintf(p->stat.name, sizeof p->stat.name, "%.*s", (int)strcspn((const char *)name.data, "\n"),
           (const char *)name.data);
  p->identity = *known;
  rsm__looked_refuse(p, no_answer);
  return true;
}

/* The process at which the first thread is. False: the helper is done with it. */
static bool pass_over(rsm__scan *scan, uint32_t *ret_pid) {
  pthread_mutex_lock(&scan->mutex);
  bool left = scan->next < scan->end;
  if (left) *ret_pid = scan->pids[scan->next++];
  pthread_mutex_unlock(&scan->mutex);
  return left;
}

/* A race remains: the pid may be another process' by now; then that one was not looked at either. */
static rsm_status give_up_process(rsm__scan *scan, rsm__bounded *stuck, rsm_error *reterr) {
  RSM_CLEAN(rsm__looked_done) rsm__looked p = {.dir = -1};
  rsm_process known = {0};
  bool wanted = pass_over(scan, &p.pid);
  if (wanted) {
    known = (rsm_process){.pid = p.pid, .instance = rsm__pid_instance(p.pid)};
    if (scan->present.pid == p.pid) known.start_time = scan->present.start_time;
    wanted = describe_silent(&p, &known);
  }
  if (!wanted) {
    rsm__bounded_unref(stuck);
    return RSM_OK;
  }
  rsm_status status = rsm__lookup_remember_process(scan->targets.lookup, &known, true, stuck, reterr);
  return status == RSM_OK ? rsm__findings_add_unreadable(&scan->found, &p.refusal, reterr) : status;
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
  if (known->instance) return rsm__pid_instance(known->pid) == known->instance;
  return rsm__procfs_open(known->pid, &dir, NULL) == RSM_OK && rsm__procfs_stat(dir, &stat, NULL) == RSM_OK &&
         stat.start_time == known->start_time;
}

static bool is_wanted_pid(const rsm__scan *scan, uint32_t pid) {
  for (size_t i = 0; i < scan->only_count; i++)
    if (scan->only[i].pid == pid) return true;
  return !scan->only;
}

/* Those at which threads of earlier listings still hang are not asked again. */
static rsm_status skip_stalled(rsm__scan *scan, rsm_error *reterr) {
  rsm_process stalled;
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && rsm__lookup_stalled_at(scan->targets.lookup, i, &stalled); i++) {
    RSM_CLEAN(rsm__looked_done) rsm__looked p = {.pid = stalled.pid, .dir = -1};
    if (!is_wanted_pid(scan, p.pid) || !is_still(&stalled) || !describe_silent(&p, &stalled)) continue;
    drop_pid(scan, p.pid);
    status = rsm__findings_add_unreadable(&scan->found, &p.refusal, reterr);
  }
  return status;
}

static rsm_status add_rest(rsm__scan *scan, rsm_error *reterr) {
  char reason[128];
  snprintf(reason, sizeof reason, "too many processes did not answer in time: %zu others were not looked at",
           scan->pid_count - scan->next);
  const rsm_unreadable rest = {.reason = reason};
  return rsm__findings_add_unreadable(&scan->found, &rest, reterr);
}

/* ---- All processes ---- */

static int compare_numbers(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

static bool has_left(rsm__scan *scan) {
  pthread_mutex_lock(&scan->mutex);
  bool left = scan->next < scan->end;
  pthread_mutex_unlock(&scan->mutex);
  return left;
}

/* One thread's go. RSM_TIMEOUT: it was given up; *given_up counts those that hang at a process. */
static rsm_status try_processes(rsm__scan *scan, unsigned *given_up, rsm_error *reterr) {
  worker *w = NULL;
  rsm__bounded *stuck = NULL;
  rsm__lookup *lookup = scan->targets.lookup;
  if (scan->task && rsm__task_cancelled(scan->task)) return rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
  rsm_status status = new_worker(scan, false, &w, reterr);
  if (status != RSM_OK) return status;
  status = rsm__lookup_try(lookup, work, free_worker, w, scan->task, &stuck, reterr);
  if (status == RSM_OK) {
    status = w->status;
    if (status != RSM_OK && reterr) *reterr = w->error;
    free_worker(w);
    return status;
  }
  if (status != RSM_TIMEOUT || !stuck) return status;
  if (!has_left(scan)) { /* the helper was done with it */
    rsm__bounded_unref(stuck);
    return RSM_OK;
  }
  if (rsm__bounded_stuck_at(stuck)[0] == '/') { /* where a deleted file's name leads: the process is tried again */
    status = rsm__lookup_remember_mount(lookup, stuck, reterr);
  } else {
    ++*given_up;
    status = give_up_process(scan, stuck, reterr);
  }
  return status == RSM_OK ? RSM_TIMEOUT : status;
}

static rsm_status list_hinted(const rsm__hints *hints, rsm__numbers *pids, rsm_error *reterr) {
  for (size_t i = 0; i < hints->count; i++) {
    if (i > 0 && hints->items[i].pid == hints->items[i - 1].pid) continue;
    if (rsm__grow(&pids->items, &pids->capacity, pids->count + 1, sizeof *pids->items) < 0)
      return rsm__fail_memory(reterr);
    pids->items[pids->count++] = hints->items[i].pid;
  }
  return RSM_OK;
}

static void keep_wanted(rsm__scan *scan) {
  size_t kept = 0;
  for (size_t i = 0; i < scan->pid_count; i++)
    if (is_wanted_pid(scan, scan->pids[i])) scan->pids[kept++] = scan->pids[i];
  scan->pid_count = kept;
}

static rsm_status list_processes(rsm__scan *scan, rsm_error *reterr) {
  RSM_CLEAN(rsm__numbers_done) rsm__numbers pids = {0};
  rsm_status status =
      scan->hinted ? list_hinted(&scan->hints, &pids, reterr) : rsm__numbers_list(AT_FDCWD, "/proc", &pids, reterr);
  if (status != RSM_OK) return status;
  if (pids.count > 0) qsort(pids.items, pids.count, sizeof *pids.items, compare_numbers);
  scan->pids = pids.items;
  scan->pid_count = pids.count;
  pids = (rsm__numbers){0};
  keep_wanted(scan);
  status = skip_stalled(scan, reterr);
  scan->end = scan->pid_count;
  return status;
}

/* ---- The helper ---- */

/* So that it never takes the last descriptor from the first thread. */
static bool has_descriptors_to_spare(void) {
  int taken[HELPERS_FDS], count = 0;
  while (count < HELPERS_FDS && (taken[count] = open("/", O_PATH | O_CLOEXEC)) >= 0) count++;
  for (int i = 0; i < count; i++) close(taken[i]);
  return count == HELPERS_FDS;
}

typedef struct helper {
  rsm__bounded *job; /* NULL: there is none */
  worker *worker;
} helper;

static helper start_helper(rsm__scan *scan) {
  helper h = {0};
  if (scan->pid_count < WORTH_TWO || !rsm__has_two_processors() || !has_descriptors_to_spare()) return h;
  if (new_worker(scan, true, &h.worker, NULL) != RSM_OK) return h;
  if (rsm__bounded_begin(work, free_worker, h.worker, &h.job, NULL) != RSM_OK) free_worker(h.worker);
  return h;
}

/* All that it found follows, as the processes do. */
static rsm_status take_findings(rsm__scan *scan, rsm_error *reterr) {
  rsm__findings *to = &scan->found, *from = &scan->behind;
  if (rsm__grow(&to->holders, &to->capacity, to->count + from->count, sizeof *to->holders) < 0 ||
      rsm__grow(&to->unreadable, &to->unreadable_capacity, to->unreadable_count + from->unreadable_count,
                sizeof *to->unreadable) < 0)
    return rsm__fail_memory(reterr);
  while (from->count > 0) to->holders[to->count++] = from->holders[--from->count];
  while (from->unreadable_count > 0)
    to->unreadable[to->unreadable_count++] = from->unreadable[--from->unreadable_count];
  rsm__arena_move(to->arena, &scan->arena);
  return RSM_OK;
}

/* Once this returns, it writes nothing any more. */
static void end_helper(rsm__scan *scan, helper h, bool may_hang) {
  pthread_mutex_lock(&scan->mutex);
  atomic_store(&scan->enough, true);
  pthread_mutex_unlock(&scan->mutex);
  if (!h.job) return;
  uint32_t limit = may_hang ? HELPERS_HANG_MS : HELPERS_END_MS;
  if (rsm__bounded_wait(h.job, limit, NULL, NULL, NULL) == RSM_OK) free_worker(h.worker);
}

rsm_status rsm__scan_processes(rsm__scan *scan, rsm_error *reterr) {
  rsm_status status = add_limits(scan, reterr);
  if (status == RSM_OK) status = list_processes(scan, reterr);
  if (status != RSM_OK) return status;
  unsigned given_up = 0;
  helper h = start_helper(scan);
  do status = try_processes(scan, &given_up, reterr);
  while (status == RSM_TIMEOUT && given_up < MOST_GIVEN_UP && has_left(scan));
  end_helper(scan, h, given_up > 0 || status != RSM_OK);
  if (status != RSM_OK && status != RSM_TIMEOUT) return status;
  return has_left(scan) ? add_rest(scan, reterr) : take_findings(scan, reterr);
}
