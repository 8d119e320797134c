/* test_scan.c: the ways in which a listing is made faster find what the plain one finds: a second thread, a query in
 * place of maps' text, one look at a name for many processes. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "stalling.h"

#include "os/clock.h"
#include "os/common/bounded.h"
#include "os/linux/scan_bpf_hooks.h"

enum { MANY = 48, LIMIT_MS = 700, SMALL_MS = 2500 };

static pid_t children[MANY];

static void start_many(action *act, const char *name, int argument) {
  for (int i = 0; i < MANY; i++) children[i] = start(act, in(name), argument);
}

static void end_many(void) {
  for (int i = 0; i < MANY; i++) end(children[i]);
}

/* ---- Two threads ---- */

static void check_all_found_once_in_order(rsm_use_how how) {
  CHECK_INT(found.count, MANY);
  for (size_t i = 1; i < found.count; i++) CHECK(found.holders[i - 1].process.pid < found.holders[i].process.pid);
  for (int i = 0; i < MANY; i++) CHECK(use_of(children[i], how));
}

static void test_many_holders(void) {
  put("many");
  start_many(act_open, "many", O_RDONLY);
  for (int round = 0; round < 50; round++) {
    rsm__bpf_by_two = round % 2 == 0;
    find("many");
    check_all_found_once_in_order(RSM_USE_OPEN);
  }
  rsm__bpf_by_two = false;
  end_many();
}

static void test_one_processor(void) {
  cpu_set_t before, one;
  CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
    if (CPU_ISSET((size_t)i, &before)) CPU_SET((size_t)i, &one);
  start_many(act_map, "many", 0);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  find("many");
  check_all_found_once_in_order(RSM_USE_MAP);
  CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
  find("many");
  check_all_found_once_in_order(RSM_USE_MAP);
  end_many();
}

/* Those that end while they are looked at change nothing for the others. */
static void test_processes_that_come_and_go(void) {
  pid_t churn = fork();
  if (churn == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      pid_t brief = fork();
      if (brief == 0) _exit(open(in("many"), O_RDONLY) < 0);
      waitpid(brief, NULL, 0);
    }
  }
  start_many(act_open, "many", O_RDONLY);
  for (int round = 0; round < 50; round++) {
    find("many");
    CHECK(found.count >= MANY);
    for (int i = 0; i < MANY; i++) CHECK(use_of(children[i], RSM_USE_OPEN));
  }
  end_many();
  end(churn);
}

/* Only few descriptors are left: the second thread does without, and nobody is overlooked. */
static void test_few_descriptors(void) {
  start_many(act_open, "many", O_RDONLY);
  pid_t viewer = fork();
  if (viewer == 0) {
    int next = open("/", O_PATH | O_CLOEXEC);
    const struct rlimit few = {.rlim_cur = (rlim_t)next + 6, .rlim_max = (rlim_t)next + 6};
    CHECK(next >= 0 && setrlimit(RLIMIT_NOFILE, &few) == 0);
    close(next);
    find("many");
    check_all_found_once_in_order(RSM_USE_OPEN);
    _exit(0);
  }
  int status;
  CHECK(waitpid(viewer, &status, 0) == viewer && status == 0);
  end_many();
}

/* Wherever the two threads meet it: the listing takes the limit once, and all others are found. */
static void check_one_that_hangs(int place) {
  rsm__lookup *patient = lookup;
  CHECK(rsm__lookup_new(LIMIT_MS, &lookup, NULL) == RSM_OK);
  for (int i = 0; i < MANY; i++) children[i] = start(i == place ? act_stall_exec : act_open, in("many"), O_RDONLY);
  usleep(100000);
  if (hangs(children[place], "maps")) {
    for (int round = 0; round < 2; round++) {
      uint64_t before = rsm__clock_ms();
      find("many");
      uint64_t took = rsm__clock_ms() - before;
      CHECK(round > 0 ? took < LIMIT_MS : took >= LIMIT_MS && took < LIMIT_MS + SMALL_MS);
      CHECK_INT(found.count, MANY - 1);
      for (size_t i = 1; i < found.count; i++) CHECK(found.holders[i - 1].process.pid < found.holders[i].process.pid);
      size_t told = 0;
      for (size_t i = 0; i < found.unreadable_count; i++)
        told += found.unreadable[i].process.pid == (uint32_t)children[place];
      CHECK(told == 1 && !holder_of(children[place]));
    }
  } else {
    printf("skipped: a process that hangs in its exec (this kernel lets it be looked at)\n");
  }
  lookup = rsm__lookup_free(lookup);
  lookup = patient;
}

static void test_one_that_hangs_among_many(void) {
  for (int place = 0; place < MANY; place += MANY / 2 - 1) {
    rsm__arena_done(&arena);
    long live = rsm__alloc_live();
    if (!start_server()) return;
    check_one_that_hangs(place);
    end_server();
    end_many();
    rsm__arena_done(&arena);
    wait_for_threads(live);
  }
}

/* ---- Names ---- */

/* The others hold it by a name that is there. Who holds it by the one that is gone is found all the same. */
static void check_old_among_many(action *act, rsm_use_how how) {
  put("old");
  CHECK(link(in("old"), in("kept")) == 0);
  usleep(50000);
  for (int i = 0; i < MANY; i++) children[i] = start(act, in(i == MANY / 2 ? "old" : "kept"), 0);
  usleep(50000);
  replace("old");
  find("old");
  CHECK_INT(found.count, 1);
  CHECK(only_use(children[MANY / 2], how, in("old"))->deleted);
  CHECK(unlink(in("old")) == 0 && unlink(in("kept")) == 0);
  end_many();
}

static void test_an_old_name_among_many(void) {
  check_old_among_many(act_open, RSM_USE_OPEN);
  check_old_among_many(act_map, RSM_USE_MAP);
}

static void test_many_old_names(void) {
  for (int mapped = 0; mapped < 2; mapped++) {
    put("old");
    CHECK(link(in("old"), in("kept")) == 0);
    start_many(mapped ? act_map : act_open, "old", 0);
    replace("old");
    find("old");
    check_all_found_once_in_order(mapped ? RSM_USE_MAP : RSM_USE_OPEN);
    for (size_t i = 0; i < found.count; i++) CHECK(found.holders[i].uses[0].deleted);
    CHECK(unlink(in("old")) == 0 && unlink(in("kept")) == 0);
    end_many();
  }
}

/* ---- Without what newer kernels have ---- */

/* PROCMAP_QUERY and openat2 as on kernels that do not know them. */
static bool be_old(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xC0686611, 0, 3),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 437 /* openat2 */, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = RSM_COUNT(code), .filter = code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void check_maps(void) {
  put("new\nline");
  put("back\\012slash");
  put("shared");
  pid_t a = start(act_map, in("new\nline"), 0), b = start(act_map, in("back\\012slash"), 0);
  pid_t c = start(act_map, in("shared"), 1);
  for (int gone = 0; gone < 2; gone++) {
    find("new\nline");
    CHECK_INT(only_use(a, RSM_USE_MAP, in("new\nline"))->deleted, gone);
    find("back\\012slash");
    CHECK_INT(only_use(b, RSM_USE_MAP, in("back\\012slash"))->deleted, gone);
    find("shared");
    const rsm_use *use = only_use(c, RSM_USE_MAP, in("shared"));
    CHECK(use->deleted == gone && use->access == (RSM_ACCESS_READ | RSM_ACCESS_WRITE));
    if (gone) break;
    CHECK(unlink(in("new\nline")) == 0 && unlink(in("back\\012slash")) == 0 && unlink(in("shared")) == 0);
  }
  end(a);
  end(b);
  end(c);
}

static void test_mappings(void) {
  check_maps();
}

static void test_mappings_by_text(void) {
  pid_t viewer = fork();
  if (viewer == 0) {
    if (be_old())
      check_maps();
    else
      printf("skipped: an older kernel's view (no seccomp filters here)\n");
    _exit(0);
  }
  int status;
  CHECK(waitpid(viewer, &status, 0) == viewer && status == 0);
}

/* ---- Many small jobs on one thread ---- */

typedef struct job {
  pid_t thread;
  int release; /* waits until this pipe is closed; -1: does not */
} job;

static void note_thread(rsm__bounded *bounded, void *argument) {
  job *j = argument;
  char word;
  (void)bounded;
  j->thread = (pid_t)syscall(SYS_gettid);
  if (j->release >= 0 && read(j->release, &word, 1) > 0) j->thread = 0;
}

static void free_job(void *argument) {
  job *j = argument;
  close(j->release);
  rsm__free(j);
}

static job *new_job(int release) {
  job *j = rsm__calloc(1, sizeof *j);
  CHECK(j);
  j->release = release;
  return j;
}

static pid_t run_job(rsm__bounded_worker **worker) {
  job j = {.release = -1};
  CHECK(rsm__bounded_run_by(worker, note_thread, free_job, &j, 5000, NULL, NULL, NULL) == RSM_OK);
  CHECK(j.thread != 0 && j.thread != getpid());
  return j.thread;
}

static bool is_thread(pid_t thread) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d", (int)thread);
  return access(path, F_OK) == 0;
}

static void wait_for_end(pid_t thread) {
  CHECK(UNTIL(5000, !is_thread(thread)));
}

static void test_jobs_share_a_thread(void) {
  long live = rsm__alloc_live();
  rsm__bounded_worker *worker = NULL;
  pid_t first = run_job(&worker), same = 0;
  for (int i = 0; i < 100; i++) same += run_job(&worker) == first;
  CHECK(same > 0);                /* all, unless this was stopped for a moment */
  wait_for_end(run_job(&worker)); /* with nothing to do it ends */
  pid_t next = run_job(&worker);
  pid_t child = fork();
  if (child == 0) { /* has no such thread */
    run_job(&worker);
    rsm__bounded_worker_free(worker);
    _exit(rsm__alloc_live() == live ? 0 : 1);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  rsm__bounded_worker_free(worker);
  CHECK(!is_thread(next));
  CHECK_INT(rsm__alloc_live(), live);
}

static void test_a_job_that_hangs_takes_its_thread_with_it(void) {
  long live = rsm__alloc_live();
  rsm__bounded_worker *worker = NULL;
  rsm__bounded *stuck = NULL;
  int ends[2];
  pid_t before = run_job(&worker);
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  CHECK(rsm__bounded_run_by(&worker, note_thread, free_job, new_job(ends[0]), 100, NULL, &stuck, NULL) == RSM_TIMEOUT);
  CHECK(stuck && !rsm__bounded_returned(stuck));
  CHECK(run_job(&worker) != before);
  rsm__bounded_worker_free(worker);
  close(ends[1]); /* now it comes back, to nobody */
  wait_for_end(before);
  CHECK(rsm__bounded_returned(stuck));
  rsm__bounded_unref(stuck);
  CHECK_INT(rsm__alloc_live(), live);
}

static void test_a_job_beside_its_caller(void) {
  long live = rsm__alloc_live();
  rsm__bounded_worker *worker = NULL;
  for (int i = 0; i < 3; i++) {
    rsm__bounded *begun = NULL;
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    job *j = new_job(ends[0]);
    CHECK(rsm__bounded_begin_by(&worker, note_thread, free_job, j, &begun, NULL) == RSM_OK);
    CHECK(!rsm__bounded_returned(begun)); /* it waits for us */
    close(ends[1]);
    if (i < 2)
      CHECK(rsm__bounded_wait_by(&worker, begun, 5000, NULL, NULL, NULL) == RSM_OK);
    else
      CHECK(UNTIL(5000, rsm__bounded_returned(begun)));
    if (i < 2)
      free_job(j);
    else
      rsm__bounded_leave_by(&worker, begun); /* frees what it has read */
  }
  CHECK(worker);
  rsm__bounded_worker_free(worker);
  CHECK_INT(rsm__alloc_live(), live);
}

static void test_a_job_that_nobody_waits_for(void) {
  long live = rsm__alloc_live();
  rsm__bounded_worker *worker = NULL;
  rsm__bounded *begun = NULL;
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  CHECK(rsm__bounded_begin_by(&worker, note_thread, free_job, new_job(ends[0]), &begun, NULL) == RSM_OK);
  rsm__bounded_leave_by(&worker, begun);
  CHECK(!worker && run_job(&worker)); /* the next one does not wait behind it */
  rsm__bounded_worker_free(worker);
  CHECK(rsm__alloc_live() > live);
  close(ends[1]);
  CHECK(UNTIL(5000, rsm__alloc_live() == live));
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_many_holders),
      CHECK_TEST(test_one_processor),
      CHECK_TEST(test_processes_that_come_and_go),
      CHECK_TEST(test_few_descriptors),
      CHECK_TEST(test_one_that_hangs_among_many),
      CHECK_TEST(test_an_old_name_among_many),
      CHECK_TEST(test_many_old_names),
      CHECK_TEST(test_mappings),
      CHECK_TEST(test_mappings_by_text),
      CHECK_TEST(test_jobs_share_a_thread),
      CHECK_TEST(test_a_job_that_hangs_takes_its_thread_with_it),
      CHECK_TEST(test_a_job_beside_its_caller),
      CHECK_TEST(test_a_job_that_nobody_waits_for),
  };
  begin();
  int code = check_run(tests, RSM_COUNT(tests), argc, argv);
  finish();
  return code;
}
