/* test_scan_churn.c: both ways of looking, while processes come, go, map and unmap, open and close all the time:
 * whoever holds a file throughout is found every time: in a thousand walks in the kernel, and a hundred through /proc.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "holding.h"

#include "os/clock.h"
#include "os/linux/scan_bpf_hooks.h"

static const size_t PAGE = 4096;
enum { SCANS = 1000, LEAST_SCANS = 20, LONGEST_MS = 45000, CHURNERS = 4, WIDTH = 64 };

static const char *const names[] = {"opened", "mapped", "old", "shifting", "growing", "threaded", "elsewhere"};
enum { FILES = sizeof names / sizeof *names };

/* ---- Who holds throughout ---- */

/* Maps and unmaps around the mapping that stays: its tree is rebuilt again and again. */
static void act_shift(const char *path, int word) {
  act_map(path, 0);
  CHECK(write(word, "r", 1) == 1);
  close(word);
  int other = open("/proc/self/exe", O_RDONLY);
  CHECK(other >= 0);
  for (unsigned i = 0;; i++) {
    char *at[WIDTH];
    for (int k = 0; k < WIDTH; k++)
      at[k] = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | (k % 3 ? 0 : MAP_ANONYMOUS), k % 3 ? other : -1, 0);
    for (int k = 0; k < WIDTH; k++) {
      if (at[k] == MAP_FAILED) continue;
      mprotect(at[k] + PAGE, PAGE, PROT_READ | PROT_WRITE);
      munmap(at[k] + (i + (unsigned)k) % 3 * PAGE, PAGE);
      munmap(at[k], 3 * PAGE);
    }
  }
}

/* Its table of descriptors grows and is filled and emptied. */
static void act_grow(const char *path, int word) {
  int fd = open(path, O_RDONLY);
  CHECK(fd >= 0 && write(word, "r", 1) == 1);
  close(word);
  for (int most = 70;; most = most % 1000 + 70) {
    for (int i = 0; i < most; i++) (void)!dup(0);
    CHECK(syscall(SYS_close_range, (unsigned)fd + 1, ~0u, 0u) == 0);
  }
}

static void *hold_in_own_table(void *path) {
  CHECK(unshare(CLONE_FILES) == 0 && open(path, O_RDONLY) >= 0);
  CHECK(write(100, "r", 1) == 1);
  close(100);
  for (;;) pause();
  return NULL;
}

static void act_own_table(const char *path, int unused) {
  pthread_t thread;
  (void)unused;
  CHECK(pthread_create(&thread, NULL, hold_in_own_table, (void *)(intptr_t)path) == 0);
  syscall(SYS_exit, 0); /* this thread only */
}

static pid_t holders[FILES];

static void start_holders(void) {
  for (size_t i = 0; i < FILES; i++) put(names[i]);
  holders[0] = start(act_open, in("opened"), O_PATH);
  holders[1] = start(act_map, in("mapped"), 1);
  holders[2] = start(act_map, in("old"), 0);
  replace("old");
  holders[3] = start(act_shift, in("shifting"), 100);
  holders[4] = start(act_grow, in("growing"), 100);
  holders[5] = start(act_own_table, in("threaded"), 0);
  if (geteuid() != 0 || unshare(CLONE_NEWPID) != 0) {
    holders[6] = start(act_open, in("elsewhere"), O_RDONLY);
    return;
  }
  holders[6] = start(act_open, in("elsewhere"), O_RDONLY); /* the first of that namespace */
  int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  CHECK(own >= 0 && setns(own, CLONE_NEWPID) == 0); /* further children are here again */
  close(own);
}

/* ---- Who comes and goes ---- */

static pid_t churners[CHURNERS];

static void churn(int kind) {
  for (unsigned i = 0;; i++) {
    pid_t brief = fork();
    if (brief == 0) {
      if (kind == 0) act_open(in(names[i % FILES]), O_RDONLY);
      if (kind == 1) act_map(in(names[i % FILES]), 0);
      if (kind == 2) execl("/bin/true", "true", (char *)NULL);
      _exit(0);
    }
    if (brief > 0) waitpid(brief, NULL, 0);
    usleep(kind == 3 ? 500 : 2000); /* others need the processors, too */
  }
}

static void start_churners(void) {
  for (int i = 0; i < CHURNERS; i++) {
    churners[i] = fork();
    if (churners[i] != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    churn(i);
  }
}

/* ---- Looking ---- */

static bool holds(pid_t pid, const char *path) {
  const rsm__holder *holder = holder_of(pid);
  for (size_t i = 0; holder && i < holder->use_count; i++)
    if (strcmp(holder->uses[i].path, path) == 0) return true;
  return false;
}

static void find_all(char paths[FILES][PATH_MAX]) {
  rsm__target targets[FILES];
  for (size_t i = 0; i < FILES; i++) targets[i] = (rsm__target){.path = paths[i]};
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find(targets, FILES, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  for (size_t i = 0; i < FILES; i++) {
    if (!holds(holders[i], paths[i])) fprintf(stderr, "missed: %s, %d\n", names[i], (int)holders[i]);
    CHECK(holds(holders[i], paths[i]));
  }
}

static void look_again_and_again(const char *scan, int most) {
  char paths[FILES][PATH_MAX];
  rsm_scanner_info info;
  int scans = 0, walks = 0;
  uint64_t began = rsm__clock_ms();
  for (size_t i = 0; i < FILES; i++) snprintf(paths[i], sizeof paths[i], "%s", in(names[i]));
  CHECK(setenv("RSM_SCAN", scan, 1) == 0);
  while (scans < most && (scans < LEAST_SCANS || rsm__clock_ms() - began < LONGEST_MS)) {
    rsm__bpf_by_two = scans % 2 == 0;
    find_all(paths);
    rsm__holders_scanner(&info);
    scans++;
    walks += strcmp(info.name, "bpf") == 0;
  }
  printf("  %s: %d scans, %d of them by bpf%s%s\n", scan, scans, walks, walks < scans ? "; not at last: " : "",
         walks < scans ? info.reason : "");
  if (strcmp(scan, "bpf") == 0 && walks > 0) CHECK(walks * 10 >= scans * 9); /* our own mappings seldom stand still */
}

static void test_what_stays_is_found_while_others_come_and_go(void) {
  start_holders();
  start_churners();
  look_again_and_again("bpf", SCANS);
  look_again_and_again("proc", SCANS / 10);
  for (int i = 0; i < CHURNERS; i++) end(churners[i]);
  for (size_t i = 0; i < FILES; i++) end(holders[i]);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(test_what_stays_is_found_while_others_come_and_go)};
  begin();
  int code = check_run(tests, RSM_COUNT(tests), argc, argv);
  finish();
  return code;
}
