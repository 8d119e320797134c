/* test_holders.c: who uses these files, with real processes: each test starts its own children and ends them by pid.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "holding.h"

/* A process like start(act, ...) holds the file; the listing names it alone, with this one use. */
static void check_one(action *act, const char *name, int argument, rsm_use_how how, uint32_t access) {
  pid_t child = start(act, in(name), argument);
  if (act == act_exec) await_state(child, 'S');
  find(name);
  CHECK_INT(found.count, 1);
  const rsm_use *use = only_use(child, how, in(name));
  CHECK_TEXT(use->resource, in(name));
  CHECK_INT(use->access, access);
  CHECK(!use->deleted);
  CHECK(how == RSM_USE_OPEN ? use->fd > 2 : use->fd == -1);
  CHECK(found.holders[0].process.start_time > 0);
  end(child);
  find(name);
  CHECK_INT(found.count, 0);
}

static void test_each_kind_of_use(void) {
  put("file");
  copy_program("program");
  CHECK(mkdir(in("dir"), 0755) == 0);
  check_one(act_open, "file", O_RDONLY, RSM_USE_OPEN, RSM_ACCESS_READ);
  check_one(act_open, "file", O_WRONLY, RSM_USE_OPEN, RSM_ACCESS_WRITE);
  check_one(act_open, "file", O_RDWR, RSM_USE_OPEN, RSM_ACCESS_READ | RSM_ACCESS_WRITE);
  check_one(act_open, "file", O_PATH, RSM_USE_OPEN, 0);
  check_one(act_map, "file", 0, RSM_USE_MAP, RSM_ACCESS_READ);
  check_one(act_map, "file", 1, RSM_USE_MAP, RSM_ACCESS_READ | RSM_ACCESS_WRITE);
  check_one(act_exec, "program", 0, RSM_USE_EXEC, RSM_ACCESS_READ);
  check_one(act_chdir, "dir", 0, RSM_USE_CWD, 0);
  check_one(act_open, "dir", O_RDONLY | O_DIRECTORY, RSM_USE_OPEN, RSM_ACCESS_READ);
}

static void test_root_directory(void) {
  if (geteuid() != 0) {
    printf("skipped: a root directory (needs root)\n");
    return;
  }
  pid_t child = start(act_chroot, in("dir"), 0);
  find("dir");
  CHECK(use_of(child, RSM_USE_ROOT) && use_of(child, RSM_USE_CWD));
  end(child);
}

static void test_our_own_process_is_found_and_our_scan_is_not(void) {
  put("own");
  find("own");
  CHECK_INT(found.count, 0);
  find("");
  CHECK(!use_of(getpid(), RSM_USE_OPEN));
  int fd = open(in("own"), O_RDONLY | O_CLOEXEC);
  find("own");
  CHECK_INT(only_use(getpid(), RSM_USE_OPEN, in("own"))->fd, fd);
  close(fd);
}

static void test_names(void) {
  static const char *const names[] = {"a b",          "new\nline",   "back\\012slash",
                                      "\xff\xfe raw", "x (deleted)", "tab\t\\040"};
  for (size_t i = 0; i < RSM_COUNT(names); i++) {
    put(names[i]);
    check_one(act_open, names[i], O_RDONLY, RSM_USE_OPEN, RSM_ACCESS_READ);
    check_one(act_map, names[i], 0, RSM_USE_MAP, RSM_ACCESS_READ);
    pid_t opened = start(act_open, in(names[i]), O_RDONLY), mapped = start(act_map, in(names[i]), 0);
    replace(names[i]);
    find(names[i]);
    CHECK_INT(found.count, 2);
    CHECK(only_use(opened, RSM_USE_OPEN, in(names[i]))->deleted);
    CHECK(only_use(mapped, RSM_USE_MAP, in(names[i]))->deleted);
    end(opened);
    end(mapped);
  }
}

/* However the old inode lost the registered name, and whether or not another link keeps it. */
static void test_deleted_and_replaced(void) {
  for (int replaced = 0; replaced < 2; replaced++)
    for (int linked = 0; linked < 2; linked++) {
      put("old");
      copy_program("old-program");
      if (linked) CHECK(link(in("old"), in("kept")) == 0 && link(in("old-program"), in("kept-program")) == 0);
      pid_t opened = start(act_open, in("old"), O_RDWR), mapped = start(act_map, in("old"), 1);
      pid_t running = start(act_exec, in("old-program"), 0);
      await_state(running, 'S');
      if (replaced) {
        replace("old");
        replace("old-program");
      } else {
        CHECK(unlink(in("old")) == 0 && unlink(in("old-program")) == 0);
      }
      find("old");
      CHECK_INT(found.count, 2);
      const rsm_use *use = only_use(opened, RSM_USE_OPEN, in("old"));
      CHECK(use->deleted && use->access == (RSM_ACCESS_READ | RSM_ACCESS_WRITE));
      use = only_use(mapped, RSM_USE_MAP, in("old"));
      CHECK(use->deleted && use->access == (RSM_ACCESS_READ | RSM_ACCESS_WRITE));
      find("old-program");
      CHECK_INT(found.count, 1);
      CHECK(only_use(running, RSM_USE_EXEC, in("old-program"))->deleted);
      if (linked) CHECK(unlink(in("kept")) == 0 && unlink(in("kept-program")) == 0);
      end(opened);
      end(mapped);
      end(running);
    }
}

/* The walk in the kernel tells only the beginning of a removed name. Of two that begin alike only one is ours. */
static void test_replaced_files_with_names_of_all_lengths(void) {
  static const int lengths[] = {1, 7, 8, 23, 24, 25, 26, 100, 255};
  for (size_t i = 0; i < RSM_COUNT(lengths); i++) {
    char name[256] = "", other[256] = "";
    memset(name, 'n', (size_t)lengths[i]);
    memcpy(other, name, sizeof other);
    other[lengths[i] - 1] = 'o';
    put(name);
    put(other);
    pid_t opened = start(act_open, in(name), O_RDONLY), mapped = start(act_map, in(name), 0);
    pid_t others = start(act_open, in(other), O_RDONLY);
    replace(name);
    replace(other);
    find(name);
    CHECK_INT(found.count, 2);
    CHECK(only_use(opened, RSM_USE_OPEN, in(name))->deleted && only_use(mapped, RSM_USE_MAP, in(name))->deleted);
    end(opened);
    end(mapped);
    end(others);
    CHECK(unlink(in(name)) == 0 && unlink(in(other)) == 0);
  }
}

static void test_a_real_suffix_is_no_deletion(void) {
  put("y (deleted)");
  pid_t opened = start(act_open, in("y (deleted)"), O_RDONLY);
  pid_t mapped = start(act_map, in("y (deleted)"), 0);
  find("y"); /* missing */
  CHECK_INT(found.count, 0);
  put("y");
  find("y");
  CHECK_INT(found.count, 0);
  CHECK(unlink(in("y (deleted)")) == 0); /* now its holders' text is "y (deleted) (deleted)" */
  find("y");
  CHECK_INT(found.count, 0);
  find("y (deleted)");
  CHECK_INT(found.count, 2);
  end(opened);
  end(mapped);
}

static void test_a_recycled_inode_number_does_not_count(void) {
  struct stat old, fresh = {0};
  put("first");
  CHECK(stat(in("first"), &old) == 0 && unlink(in("first")) == 0);
  put("second");
  CHECK(stat(in("second"), &fresh) == 0);
  pid_t child = start(act_open, in("second"), O_RDONLY);
  find("first");
  CHECK_INT(found.count, 0);
  if (fresh.st_ino != old.st_ino) printf("(the file system did not reuse the number)\n");
  end(child);
}

static void test_other_names_of_the_same_file(void) {
  put("one");
  CHECK(link(in("one"), in("other")) == 0 && mkdir(in("v1"), 0755) == 0 && symlink("v1", in("current")) == 0);
  pid_t child = start(act_open, in("other"), O_RDONLY);
  find("one");
  only_use(child, RSM_USE_OPEN, in("one"));
  end(child);
  put("v1/file");
  child = start(act_open, in("v1/file"), O_RDONLY);
  find("current/file");
  CHECK_TEXT(only_use(child, RSM_USE_OPEN, in("current/file"))->resource, in("current/file"));
  CHECK(mkdir(in("v2"), 0755) == 0 && unlink(in("current")) == 0 && symlink("v2", in("current")) == 0);
  find("current/file"); /* leads elsewhere now */
  CHECK_INT(found.count, 0);
  find_real(in("current/file"), in("v1/file")); /* but that is what was registered */
  only_use(child, RSM_USE_OPEN, in("current/file"));
  CHECK(unlink(in("v1/file")) == 0);
  find_real(in("current/file"), in("v1/file"));
  CHECK(only_use(child, RSM_USE_OPEN, in("current/file"))->deleted);
  end(child);
}

static void test_a_directory_counts_with_its_tree(void) {
  CHECK(mkdir(in("tree"), 0755) == 0 && mkdir(in("tree/sub"), 0755) == 0 && mkdir(in("tree/sub/empty"), 0755) == 0);
  CHECK(mkdir(in("treex"), 0755) == 0 && symlink("../treex", in("tree/link")) == 0);
  put("tree/sub/file");
  put("tree/gone");
  put("treex/gone");
  CHECK(link(in("tree/sub/file"), in("outside")) == 0);
  pid_t a = start(act_open, in("outside"), O_RDONLY), b = start(act_chdir, in("tree/sub/empty"), 0);
  pid_t c = start(act_map, in("tree/gone"), 0), d = start(act_open, in("treex/gone"), O_RDONLY);
  CHECK(unlink(in("tree/gone")) == 0 && unlink(in("treex/gone")) == 0 && rmdir(in("tree/sub/empty")) == 0);
  find("tree");
  CHECK_INT(found.count, 3);
  CHECK_TEXT(only_use(a, RSM_USE_OPEN, in("tree/sub/file"))->resource, in("tree"));
  CHECK(only_use(b, RSM_USE_CWD, in("tree/sub/empty"))->deleted);
  CHECK(only_use(c, RSM_USE_MAP, in("tree/gone"))->deleted);
  CHECK(!holder_of(d));
  end(a);
  end(b);
  end(c);
  end(d);
}

static void test_some_processes_only(void) {
  put("file");
  pid_t a = start(act_open, in("file"), O_RDONLY), b = start(act_map, in("file"), 0);
  find("file");
  CHECK_INT(found.count, 2);
  const rsm_process both[] = {holder_of(a)->process, {.pid = (uint32_t)b, .start_time = 1}};
  const rsm__target target = {.path = in("file")};
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find_among(both, 2, &target, 1, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  CHECK_INT(found.count, 1);
  only_use(a, RSM_USE_OPEN, in("file"));
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find_among(both, 0, &target, 1, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  CHECK_INT(found.count, 0);
  end(a);
  end(b);
}

static void test_missing_files_have_no_holders(void) {
  find("missing/deep/er");
  CHECK(found.count == 0);
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find(NULL, 0, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  CHECK(found.count == 0 && found.complete);
}

/* ---- Threads ---- */

static void *hold_in_own_table(void *path) {
  CHECK(unshare(CLONE_FILES) == 0);
  CHECK(open(path, O_RDONLY) >= 0);
  CHECK(write(100, "r", 1) == 1);
  close(100);
  for (;;) pause();
  return NULL;
}

static void act_own_table(const char *path, int leader_ends) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, hold_in_own_table, (void *)(intptr_t)path) == 0);
  if (leader_ends) syscall(SYS_exit, 0); /* this thread only */
  for (;;) pause();
}

static void test_a_thread_with_its_own_descriptors(void) {
  put("threaded");
  pid_t child = start(act_own_table, in("threaded"), 0);
  find("threaded");
  only_use(child, RSM_USE_OPEN, in("threaded"));
  end(child);
}

static void test_a_leader_that_has_ended(void) {
  pid_t child = start(act_own_table, in("threaded"), 1);
  await_state(child, 'Z');
  find("threaded");
  only_use(child, RSM_USE_OPEN, in("threaded"));
  end(child);
}

/* ---- Rights ---- */

static void test_what_may_not_be_read_is_told(void) {
  if (geteuid() != 0) {
    printf("skipped: another user's view (needs root)\n");
    return;
  }
  pid_t holder = start(act_open, in("file"), O_RDONLY);
  pid_t viewer = fork();
  if (viewer == 0) {
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    find("file");
    CHECK(!found.complete && found.count == 0);
    const rsm_unreadable *entry = NULL;
    for (size_t i = 0; i < found.unreadable_count; i++)
      if (found.unreadable[i].process.pid == (uint32_t)holder) entry = &found.unreadable[i];
    CHECK(entry && entry->name && entry->process.start_time > 0);
    CHECK_TEXT(entry->user, "root");
    CHECK_TEXT(entry->reason, "descriptors, mappings, program: Permission denied");
    _exit(0);
  }
  int status;
  CHECK(waitpid(viewer, &status, 0) == viewer && status == 0);
  end(holder);
}

/* ---- Cancelling, memory ---- */

static void find_cancelled(rsm__task *task, void *ret_status) {
  const rsm__target target = {.path = in("file")};
  rsm__task_cancel(task);
  *(rsm_status *)ret_status = rsm__holders_find(&target, 1, lookup, task, &arena, &found, NULL);
}

static void test_cancelling_ends_it(void) {
  rsm__task *task = NULL;
  rsm_status status = RSM_OK;
  bool yielded;
  CHECK(rsm__task_new(find_cancelled, &status, &task, NULL) == RSM_OK);
  while (!rsm__task_step(task, UINT32_MAX, &yielded)) continue;
  rsm__task_free(task);
  CHECK_INT(status, RSM_CANCELLED);
}

static void test_out_of_memory(void) {
  CHECK(mkdir(in("small"), 0755) == 0);
  put("small/file");
  put("lost");
  pid_t child = start(act_open, in("small/file"), O_RDONLY), old = start(act_map, in("lost"), 0);
  replace("lost");
  const rsm__target targets[] = {{.path = in("small")}, {.path = in("lost")}};
  rsm__arena_done(&arena);
  long live = rsm__alloc_live();
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status != RSM_OK; n += n < 60 ? 1 : 13) {
    rsm__alloc_fail_at(n, 0);
    status = rsm__holders_find(targets, 2, lookup, NULL, &arena, &found, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || status == RSM_OUT_OF_MEMORY);
    if (status == RSM_OK) CHECK_INT(found.count, 2);
    rsm__arena_done(&arena);
    CHECK_INT(rsm__alloc_live(), live);
    CHECK(n < 100000);
  }
  end(child);
  end(old);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_each_kind_of_use),
      CHECK_TEST(test_root_directory),
      CHECK_TEST(test_our_own_process_is_found_and_our_scan_is_not),
      CHECK_TEST(test_names),
      CHECK_TEST(test_deleted_and_replaced),
      CHECK_TEST(test_replaced_files_with_names_of_all_lengths),
      CHECK_TEST(test_a_real_suffix_is_no_deletion),
      CHECK_TEST(test_a_recycled_inode_number_does_not_count),
      CHECK_TEST(test_other_names_of_the_same_file),
      CHECK_TEST(test_a_directory_counts_with_its_tree),
      CHECK_TEST(test_some_processes_only),
      CHECK_TEST(test_missing_files_have_no_holders),
      CHECK_TEST(test_a_thread_with_its_own_descriptors),
      CHECK_TEST(test_a_leader_that_has_ended),
      CHECK_TEST(test_what_may_not_be_read_is_told),
      CHECK_TEST(test_cancelling_ends_it),
      CHECK_TEST(test_out_of_memory),
  };
  begin();
  int code = check_run(tests, RSM_COUNT(tests), argc, argv);
  finish();
  return code;
}
