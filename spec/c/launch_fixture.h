/* launch_fixture.h: starting a program in a test, capturing it, ending it, starting it again.
 * The programs are copies of sleep(1) under names of their own and end by themselves after a minute.
 * SPDX-License-Identifier: MIT */
#ifndef LAUNCH_FIXTURE_H
#define LAUNCH_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/clock.h"
#include "os/launch.h"
#include "own_folders.h"
#include "until.h"

#define FIXTURE_FOLDER "/run/fixture"
#define FIXTURE_PROGRAM FIXTURE_FOLDER "/napper"

typedef struct fixture {
  rsm__dir *dir;
  rsm__file *record;
  rsm__lock *lock;
  rsm__arena arena;
  rsm__buffer capture;
  const char *obstacle;
  rsm__launched launched;
  rsm_error error;
} fixture;

static inline void copy_program(const char *to) {
  char command[256];
  mkdir(FIXTURE_FOLDER, 0755);
  snprintf(command, sizeof command, "cp -fL /bin/sleep %s && chmod 755 %s", to, to);
  CHECK_INT(system(command), 0);
}

static inline void fixture_open(fixture *f) {
  *f = (fixture){0};
  rsm__arena arena = {0};
  CHECK_INT(rsm__private_place_open(0, 0, true, &f->dir, NULL), RSM_OK);
  CHECK_INT(rsm__dir_remove(f->dir, "record", NULL), RSM_OK);
  CHECK_INT(rsm__file_create(f->dir, "record", &f->record, NULL), RSM_OK);
  CHECK_INT(rsm__lock_acquire(f->dir, "lock", 5000, &f->lock, NULL), RSM_OK);
  f->arena = arena;
}

static inline void fixture_close(fixture *f) {
  f->lock = rsm__lock_release(f->lock);
  f->record = rsm__file_close(f->record);
  f->dir = rsm__dir_close(f->dir);
  rsm__buffer_done(&f->capture);
  rsm__arena_done(&f->arena);
}

static inline rsm_status fixture_start(fixture *f, const char *const *args, size_t arg_count) {
  rsm__launch_request request = {.capture = f->capture.data,
                                 .capture_length = f->capture.length,
                                 .args = args,
                                 .arg_count = arg_count,
                                 .record = f->record,
                                 .lock = f->lock};
  return rsm__launch_start(&request, &f->arena, &f->launched, &f->error);
}

/* By identity: seen from another mount namespace a name may be another. */
static inline bool runs_exe(pid_t pid, const char *exe) {
  char path[64];
  struct stat wanted, found;
  CHECK(stat(exe, &wanted) == 0);
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  return stat(path, &found) == 0 && found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino;
}

static inline void wait_for_exe(pid_t pid, const char *exe) {
  CHECK(UNTIL(5000, runs_exe(pid, exe)));
}

static inline void capture_process(fixture *f, const rsm_process *id, bool with_environment) {
  rsm__process *process = NULL;
  CHECK_INT(rsm__process_open(id, &process, NULL), RSM_OK);
  CHECK_INT(rsm__launch_capture(process, with_environment, &f->arena, &f->capture, &f->obstacle, &f->error), RSM_OK);
  rsm__process_close(process);
}

static inline void end_child(pid_t pid) {
  CHECK(pid > 0); /* -1 would be everybody */
  kill(pid, SIGKILL);
  CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* prepare() makes the child what it shall be, in the child, and gives the environment or NULL. */
static inline void run_and_capture(fixture *f, void (*prepare)(void), char *const *environment, bool with_environment) {
  static char *const argv[] = {(char *)"a nap", (char *)"60", NULL};
  pid_t pid = fork();
  if (pid == 0) {
    if (prepare) prepare();
    execve(FIXTURE_PROGRAM, argv, environment);
    _exit(99);
  }
  wait_for_exe(pid, FIXTURE_PROGRAM);
  rsm_process id = {.pid = (uint32_t)pid};
  capture_process(f, &id, with_environment);
  end_child(pid);
}

static inline void kill_process(const rsm_process *id) {
  rsm__process *process = NULL;
  if (rsm__process_open(id, &process, NULL) != RSM_OK) return;
  rsm__process_kill(process, NULL);
  CHECK(UNTIL(5000, !rsm__process_alive(process)));
  rsm__process_close(process);
}

/* Is it of this test, which has a mount namespace of its own? Others may run the same programs at the same time. */
static inline bool is_of_this_test(const char *pid) {
  char path[300];
  struct stat ours, theirs;
  snprintf(path, sizeof path, "/proc/%s/ns/mnt", pid);
  return stat("/proc/self/ns/mnt", &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino;
}

/* How many processes run exe; *ret_pid gets one. */
static inline int count_running(const char *exe, pid_t *ret_pid) {
  DIR *proc = opendir("/proc");
  int count = 0;
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
    char path[300], target[256];
    snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
    ssize_t length = entry->d_name[0] > '0' && entry->d_name[0] <= '9' ? readlink(path, target, sizeof target - 1) : 0;
    if (length <= 0) continue;
    target[length] = 0;
    if (strcmp(target, exe) != 0 || !is_of_this_test(entry->d_name)) continue;
    count++;
    if (ret_pid) *ret_pid = (pid_t)atoi(entry->d_name);
  }
  closedir(proc);
  return count;
}

/* True: complete, and *ret_id named by it. False: empty. Anything else fails the test. */
static inline bool read_record(fixture *f, rsm_process *ret_id) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  CHECK_INT(rsm__dir_read(f->dir, "record", 4096, &content, NULL), RSM_OK);
  if (content.length == 0) return false;
  CHECK(rsm__launch_record(content.data, content.length, ret_id));
  return true;
}

#endif
