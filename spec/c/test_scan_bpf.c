/* test_scan_bpf.c: the walk in the kernel finds what /proc tells, and whatever goes wrong with it leads back to /proc:
 * by itself, and said in rsm_scanner. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "faults.h"
#include "holding.h"

#include "os/linux/scan_bpf_hooks.h"
#include "os/linux/walker.h"

enum { MANY = 400, ROUNDS = 20, MOST_RUNGS = 30 };

static const char *scanner(void) {
  static rsm_scanner_info info;
  rsm__holders_scanner(&info);
  return info.name;
}

static const char *reason(void) {
  static rsm_scanner_info info;
  rsm__holders_scanner(&info);
  return info.reason;
}

static void find_by(const char *name, const char *expected) {
  find(name);
  if (strcmp(scanner(), expected) != 0) fprintf(stderr, "by %s: %s\n", scanner(), reason());
  CHECK_TEXT(scanner(), expected);
  CHECK((reason()[0] == '\0') == (strcmp(expected, "bpf") == 0));
}

/* In a child, so that nothing of it stays: it must say that all was well. */
static void in_child(void (*run)(void)) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    run();
    fflush(stdout);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
}

static pid_t opened, mapped, running, old;

static void start_holders(void) {
  put("file");
  put("mapped");
  put("old");
  copy_program("program");
  opened = start(act_open, in("file"), O_RDONLY);
  mapped = start(act_map, in("mapped"), 0);
  running = start(act_exec, in("program"), 0);
  old = start(act_map, in("old"), 0);
  replace("old");
}

static void end_holders(void) {
  end(opened);
  end(mapped);
  end(running);
  end(old);
}

static void check_all(const char *expected) {
  find_by("file", expected);
  only_use(opened, RSM_USE_OPEN, in("file"));
  find_by("mapped", expected);
  only_use(mapped, RSM_USE_MAP, in("mapped"));
  find_by("program", expected);
  only_use(running, RSM_USE_EXEC, in("program"));
  find_by("old", expected);
  CHECK(only_use(old, RSM_USE_MAP, in("old"))->deleted);
}

/* ---- It works ---- */

static void test_it_finds_them(void) {
  check_all("bpf");
  pid_t stands = start(act_chdir, folder, 0);
  find_real(folder, NULL);
  CHECK_TEXT(scanner(), "bpf");
  CHECK(use_of(stands, RSM_USE_CWD) && use_of(opened, RSM_USE_OPEN) && use_of(mapped, RSM_USE_MAP));
  CHECK(use_of(running, RSM_USE_EXEC) && use_of(old, RSM_USE_MAP));
  end(stands);
}

static void hold_many(const char *path, int mappings) {
  for (int i = 0; i < MANY; i++) {
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    if (!mappings) continue;
    CHECK(mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    close(fd);
  }
}

/* More hints than the kernel takes of one process: it is looked at wholly. */
static void test_many_uses_of_one_process(void) {
  for (int mappings = 0; mappings < 2; mappings++) {
    pid_t child = start(hold_many, in("file"), mappings);
    find_by("file", "bpf");
    CHECK_INT(found.count, 2);
    CHECK(mappings || holder_of(child)->use_count == MANY);
    CHECK(use_of(child, mappings ? RSM_USE_MAP : RSM_USE_OPEN));
    end(child);
  }
}

static void hold_high(const char *path, int number) {
  const struct rlimit limit = {.rlim_cur = (rlim_t)number + 1, .rlim_max = (rlim_t)number + 1};
  int fd = open(path, O_PATH);
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && dup2(fd, number) == number);
  close(fd);
}

static void test_a_high_descriptor(void) {
  pid_t child = start(hold_high, in("file"), 5000);
  find_by("file", "bpf");
  CHECK(use_of(child, RSM_USE_OPEN) && use_of(child, RSM_USE_OPEN)->fd == 5000);
  end(child);
}

/* A pipe with a name: nobody can seek in it. */
static void test_what_is_no_plain_file(void) {
  CHECK(mkfifo(in("pipe"), 0600) == 0);
  pid_t child = start(act_open, in("pipe"), O_RDWR);
  find_by("pipe", "bpf");
  only_use(child, RSM_USE_OPEN, in("pipe"));
  end(child);
}

/* Its number is not registered, and it is no file without a name: nothing of the registered file's leads to it. */
static void test_a_mapped_predecessor_that_lives_on_under_another_name(void) {
  if (!has_own_mounts) {
    printf("skipped: a file system of one's own (needs root)\n");
    return;
  }
  CHECK(mkdir(in("quiet"), 0755) == 0 && mount("none", in("quiet"), "tmpfs", 0, NULL) == 0);
  put("quiet/file");
  pid_t child = start(act_map, in("quiet/file"), 0);
  CHECK(link(in("quiet/file"), in("quiet/backup")) == 0);
  put("quiet/new");
  CHECK(rename(in("quiet/new"), in("quiet/file")) == 0);
  find_by("quiet/file", "bpf");
  CHECK_INT(found.count, 1);
  CHECK(use_of(child, RSM_USE_MAP)->deleted);
  end(child);
  CHECK(umount(in("quiet")) == 0);
}

/* ---- Doubts ---- */

static void test_trees_that_change_are_looked_at(void) {
  rsm__bpf_fault_wanted = RSM__BPF_DEAD_NODES;
  check_all("bpf");
  rsm__bpf_fault_wanted = RSM__BPF_DEAD_OWN;
  check_all("proc");
  rsm__bpf_fault_wanted = RSM__BPF_NO_FAULT;
  check_all("bpf");
}

static void check_loss(rsm__bpf_fault loss, const char *word) {
  rsm__bpf_fault_wanted = loss;
  check_all("proc");
  if (!strstr(reason(), word)) fprintf(stderr, "%s\n", reason());
  CHECK(strstr(reason(), word));
  rsm__bpf_fault_wanted = RSM__BPF_NO_FAULT;
}

static void test_a_canary_that_is_missed(void) {
  check_loss(RSM__BPF_LOSES_OPEN, "descriptor");
  check_loss(RSM__BPF_LOSES_MAPPED, "mapping");
  check_loss(RSM__BPF_LOSES_EXE, "program");
  check_all("bpf");
}

/* ---- Who may, and who wants to ---- */

static void test_it_can_be_switched_off(void) {
  rsm__lookup *usual = lookup;
  CHECK(rsm__lookup_new(5000, &lookup, NULL) == RSM_OK);
  rsm__lookup_without_bpf(lookup);
  check_all("proc");
  CHECK(strstr(reason(), "bpf = false"));
  rsm__lookup_free(lookup);
  lookup = usual;
  CHECK(setenv("RSM_SCAN", "proc", 1) == 0);
  check_all("proc");
  CHECK(strstr(reason(), "RSM_SCAN=proc"));
  CHECK(setenv("RSM_SCAN", "bpf", 1) == 0);
}

static void find_as_nobody(void) {
  CHECK(setgid(65534) == 0 && setuid(65534) == 0);
  find_by("file", "proc");
  CHECK(strstr(reason(), "CAP_BPF") && !found.complete);
}

static void set_capabilities(unsigned long long all) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2] = {{.effective = (uint32_t)all, .permitted = (uint32_t)all},
                                           {.effective = (uint32_t)(all >> 32), .permitted = (uint32_t)(all >> 32)}};
  CHECK(syscall(SYS_capset, &header, sets) == 0);
}

/* The two that the walk needs, and what /proc asks of who looks at others. */
static void find_with_few_rights(void) {
  enum { DAC_READ_SEARCH = 2, SYS_PTRACE = 19, PERFMON = 38, BPF = 39 };
  CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
  set_capabilities(1ull << DAC_READ_SEARCH | 1ull << SYS_PTRACE | 1ull << PERFMON | 1ull << BPF);
  check_all("bpf");
  set_capabilities(1ull << PERFMON | 1ull << BPF); /* whom to look at is known, but not what it has */
  find_by("file", "bpf");
  CHECK(found.count == 0 && !found.complete);
  bool told = false;
  for (size_t i = 0; i < found.unreadable_count; i++)
    told = told || found.unreadable[i].process.pid == (uint32_t)opened;
  CHECK(told);
}

static void find_in_pid_namespace(void) {
  int status;
  CHECK(unshare(CLONE_NEWPID) == 0);
  pid_t child = fork();
  if (child == 0) {
    find_by("file", "proc");
    CHECK(strstr(reason(), "pid namespace"));
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void test_rights(void) {
  in_child(find_as_nobody);
  in_child(find_with_few_rights);
  in_child(find_in_pid_namespace);
}

static void find_twice(void) {
  CHECK(unsetenv("RSM_SCAN") == 0);
  find("file"); /* by which way: a matter of how much there is to look at */
  CHECK(strcmp(scanner(), "bpf") == 0 || strstr(reason(), "first listing"));
  check_all("bpf");
}

static void test_repeated_listings_take_it(void) {
  in_child(find_twice);
}

/* ---- What is kept ---- */

/* passed_on: only those that a program that we start would get. */
static int count_descriptors(bool passed_on) {
  int count = 0;
  for (int fd = 0; fd < 1024; fd++) {
    int flags = fcntl(fd, F_GETFD);
    count += flags >= 0 && !(passed_on && (flags & FD_CLOEXEC));
  }
  return count;
}

static int passed_on_at_first;

static void find_in_child(void) {
  check_all("bpf");
  int before = count_descriptors(false);
  for (int i = 0; i < 3; i++) check_all("bpf");
  CHECK_INT(count_descriptors(false), before);
  CHECK_INT(count_descriptors(true), passed_on_at_first);
}

static void lose_descriptors(void) {
  check_all("bpf");
  CHECK(syscall(SYS_close_range, 3u, ~0u, 0u) == 0);
  check_all("bpf");
  CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
  for (int fd = 3; fd < 20; fd++) CHECK(dup3(0, fd, O_CLOEXEC) == fd); /* all of them are somebody else's now */
  check_all("bpf");
  for (int fd = 3; fd < 20; fd++) CHECK(fcntl(fd, F_GETFD) >= 0);
}

static void test_what_is_kept(void) {
  find_in_child(); /* here */
  in_child(find_in_child);
  in_child(lose_descriptors);
  check_all("bpf");
}

static void *list_again_and_again(void *name) {
  for (int i = 0; i < ROUNDS; i++) {
    rsm__arena own = {0};
    rsm__holders holders = {0};
    rsm__lookup *own_lookup = NULL;
    const rsm__target target = {.path = name};
    CHECK(rsm__lookup_new(5000, &own_lookup, NULL) == RSM_OK);
    CHECK(rsm__holders_find(&target, 1, own_lookup, NULL, &own, &holders, NULL) == RSM_OK);
    CHECK_INT(holders.count, 1); /* and never we, who have it open for a moment */
    CHECK_INT(holders.holders[0].use_count, 1);
    rsm__lookup_free(own_lookup);
    rsm__arena_done(&own);
  }
  return NULL;
}

static void test_threads(void) {
  pthread_t threads[3];
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s", in("file"));
  for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, list_again_and_again, name) == 0);
  for (int i = 0; i < 3; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  check_all("bpf");
}

/* ---- Faults ---- */

static fault wanted;
static bool was_hit, fell_back;
enum { HIT = 3, FELL_BACK = 4 };

/* Nothing was loaded in this process before. */
static void find_faulty(void) {
  const rsm__target target = {.path = in("mapped")};
  rsm__arena_done(&arena);
  faults_arm(&wanted);
  rsm_status status = rsm__holders_find(&target, 1, lookup, NULL, &arena, &found, NULL);
  faults_disarm();
  if (wanted.only) CHECK_INT(status, RSM_OK);
  if (wanted.only || (status == RSM_OK && found.complete)) only_use(mapped, RSM_USE_MAP, in("mapped"));
  if (faults_hit()) _exit(strcmp(scanner(), "proc") == 0 ? FELL_BACK : HIT);
}

static void climb_one(void) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    find_faulty();
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  fell_back = WEXITSTATUS(status) == FELL_BACK;
  was_hit = fell_back || WEXITSTATUS(status) == HIT;
  if (!was_hit) CHECK_INT(WEXITSTATUS(status), 0);
}

/* The n-th call of bpf fails, in each way in which it may; then one call of all. The first is no loss: whether the
 * parent's descriptor is to be closed. */
static void test_calls_that_fail(void) {
  unsigned long fallbacks = 0;
  for (unsigned turn = 0; turn < 4; turn++) {
    was_hit = true;
    for (unsigned long at = 1; was_hit; at++) {
      wanted = (fault){.at = at, .turn = turn, .only = "bpf"};
      climb_one();
      CHECK(!was_hit || at == 1 || fell_back);
      fallbacks += fell_back;
    }
  }
  CHECK(fallbacks >= 4ul * 6); /* map, program, link, its number, two walks */
  was_hit = true;
  for (unsigned long i = 1; was_hit && i <= MOST_RUNGS; i++) {
    wanted = (fault){.at = i * 6, .turn = (unsigned)i};
    climb_one();
  }
}

static void test_memory_that_is_missing(void) {
  const rsm__target target = {.path = in("mapped")};
  rsm__arena_done(&arena);
  long live = rsm__alloc_live();
  for (unsigned long n = 1; n < 200; n += n < 60 ? 1 : 7) {
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__holders_find(&target, 1, lookup, NULL, &arena, &found, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || status == RSM_OUT_OF_MEMORY);
    if (status == RSM_OK) only_use(mapped, RSM_USE_MAP, in("mapped"));
    rsm__arena_done(&arena);
    CHECK_INT(rsm__alloc_live(), live);
  }
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_it_finds_them),
      CHECK_TEST(test_many_uses_of_one_process),
      CHECK_TEST(test_a_high_descriptor),
      CHECK_TEST(test_what_is_no_plain_file),
      CHECK_TEST(test_a_mapped_predecessor_that_lives_on_under_another_name),
      CHECK_TEST(test_trees_that_change_are_looked_at),
      CHECK_TEST(test_a_canary_that_is_missed),
      CHECK_TEST(test_it_can_be_switched_off),
      CHECK_TEST(test_rights),
      CHECK_TEST(test_repeated_listings_take_it),
      CHECK_TEST(test_what_is_kept),
      CHECK_TEST(test_threads),
      CHECK_TEST(test_calls_that_fail),
      CHECK_TEST(test_memory_that_is_missing),
  };
  int code = 0;
  CHECK(setenv("RSM_SCAN", "bpf", 1) == 0);
  begin();
  passed_on_at_first = count_descriptors(true);
  find("nothing");
  if (strcmp(scanner(), "bpf") == 0) {
    start_holders();
    code = check_run(tests, RSM_COUNT(tests), argc, argv);
    end_holders();
  } else {
    printf("skipped: it is not to be had here: %s\n", reason());
  }
  finish();
  return code;
}
