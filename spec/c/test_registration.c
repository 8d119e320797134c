/* test_registration.c: a process registers itself, and nobody else. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/private_dir.h"
#include "os/registration.h"
#include "own_folders.h"
#include "until.h"

static const char FOLDER[] = "/run/restartmanager/registered";

/* A child that does `act` and then waits for its end. */
static pid_t child_that(void (*act)(void)) {
  int ready[2];
  char byte;
  CHECK_INT(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    act();
    if (write(ready[1], "", 1) != 1) _exit(1);
    for (;;) pause();
  }
  CHECK_INT(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  close(ready[1]);
  return pid;
}

static void end_child(pid_t pid) {
  CHECK(pid > 0); /* -1 would be everybody */
  kill(pid, SIGKILL);
  CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* A reader for many tells the same, also when it has known more users' folders than it keeps. */
static void check_reader(const rsm__process *process, rsm_status expected) {
  enum { USERS = 40, FIRST_USER = 70000 };
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__registrations *reader = NULL;
  rsm__process_facts facts;
  rsm__registration found;
  CHECK_INT(rsm__registrations_new(&reader, NULL), RSM_OK);
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  CHECK_INT(rsm__registrations_get(reader, process, &facts, &arena, &found, NULL), expected);
  for (uint32_t i = 0; i < USERS; i++) {
    rsm__process_facts others = facts;
    others.uid = FIRST_USER + i;
    CHECK_INT(rsm__registrations_get(reader, process, &others, &arena, &found, NULL), RSM_NOT_FOUND);
  }
  CHECK_INT(rsm__registrations_get(reader, process, &facts, &arena, &found, NULL), expected);
  rsm__registrations_free(reader);
}

static rsm_status get(pid_t pid, rsm__arena *arena, rsm__registration *ret) {
  rsm__process *process = NULL;
  rsm_process id = {.pid = (uint32_t)pid};
  CHECK_INT(rsm__process_open(&id, &process, NULL), RSM_OK);
  rsm_status status = rsm__registration_get(process, arena, ret, NULL);
  check_reader(process, status);
  rsm__process_close(process);
  return status;
}

static rsm_status lookup(pid_t pid) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__registration found;
  return get(pid, &arena, &found);
}

static int count_files(void) {
  DIR *dir = opendir(FOLDER);
  int count = 0;
  for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) count += entry->d_name[0] != '.';
  if (dir) closedir(dir);
  return count;
}

static void register_two(void) {
  static const char *const args[] = {"--resume", "a b\xff\n"};
  CHECK_INT(rsm__registration_set(args, 2, RSM_RESTART_NO_CRASH | RSM_RESTART_NO_PATCH, NULL), RSM_OK);
}

static void set_get_clear(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__registration found;
  CHECK_INT(lookup(getpid()), RSM_NOT_FOUND);
  CHECK_INT(rsm__registration_clear(NULL), RSM_NOT_FOUND);
  pid_t pid = child_that(register_two);
  CHECK_INT(get(pid, &arena, &found), RSM_OK);
  CHECK_INT(found.arg_count, 2);
  CHECK_TEXT(found.args[0], "--resume");
  CHECK_TEXT(found.args[1], "a b\xff\n");
  CHECK_INT(found.flags, 5);
  CHECK(strstr(found.exe, "test_registration"));
  CHECK_INT(lookup(getpid()), RSM_NOT_FOUND);
  CHECK_INT(count_files(), 1);
  end_child(pid);
  CHECK_INT(rsm__registration_set(NULL, 0, 0, NULL), RSM_OK);
  CHECK_INT(count_files(), 1); /* the dead one's was swept */
  CHECK_INT(get(getpid(), &arena, &found), RSM_OK);
  CHECK_INT(found.arg_count, 0);
  static const char *const args[] = {"x"};
  CHECK_INT(rsm__registration_set(args, 1, 0, NULL), RSM_OK);
  CHECK_INT(get(getpid(), &arena, &found), RSM_OK);
  CHECK_INT(found.arg_count, 1);
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
  CHECK_INT(lookup(getpid()), RSM_NOT_FOUND);
  CHECK_INT(count_files(), 0);
}

static void limits(void) {
  char line[1100], text[3000];
  rsm_error error = {0};
  const char *const one[] = {line}, *const two[] = {line, ""}, *const wide[] = {text};
  memset(line, 'x', sizeof line);
  line[1024] = 0;
  CHECK_INT(rsm__registration_set(one, 1, 0, &error), RSM_OK);
  CHECK_INT(rsm__registration_set(two, 2, 0, &error), RSM_INVALID_PARAMETER);
  CHECK_TEXT(error.detail, "the arguments are 1025 characters long, at most 1024 are allowed");
  for (size_t i = 0; i < 1024; i++) memcpy(text + 2 * i, "\xc3\xa4", 2);
  text[2048] = 0;
  CHECK_INT(rsm__registration_set(wide, 1, 0, &error), RSM_OK);
  memcpy(text + 2048, "\xc3", 2); /* a stray byte counts, too */
  CHECK_INT(rsm__registration_set(wide, 1, 0, &error), RSM_INVALID_PARAMETER);
  CHECK_INT(rsm__registration_set(one, 1, 16, &error), RSM_BAD_ARGUMENTS);
  CHECK_TEXT(error.detail, "unknown flags 0x10");
  CHECK_INT(lookup(getpid()), RSM_OK); /* a refused call leaves the one before */
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
}

static void do_nothing(void) {
}

static void become_user(void) {
  CHECK_INT(setresuid(4321, 4321, 4321), 0);
}

static void register_and_become_user(void) {
  register_two();
  become_user();
}

static void file_path(pid_t pid, char *path, size_t size) {
  rsm__process *process = NULL;
  rsm_process id = {.pid = (uint32_t)pid};
  CHECK_INT(rsm__process_open(&id, &process, NULL), RSM_OK);
  snprintf(path, size, "%s/%d-%llu", FOLDER, (int)pid, (unsigned long long)rsm__process_id(process)->start_time);
  rsm__process_close(process);
}

/* What another process' file says counts for nobody: not under another name, not after a change of user. */
static void nobody_speaks_for_another(void) {
  char from[200], to[200], command[500];
  pid_t speaker = child_that(register_two), victim = child_that(do_nothing);
  file_path(speaker, from, sizeof from);
  file_path(victim, to, sizeof to);
  snprintf(command, sizeof command, "cp %s %s", from, to);
  CHECK_INT(system(command), 0);
  CHECK_INT(lookup(speaker), RSM_OK);
  CHECK_INT(lookup(victim), RSM_NOT_FOUND);
  CHECK_INT(chown(from, 4321, 4321), 0);
  CHECK_INT(lookup(speaker), RSM_NOT_FOUND);
  end_child(speaker);
  end_child(victim);
  pid_t changed = child_that(register_and_become_user), user = child_that(become_user);
  CHECK_INT(lookup(changed), RSM_NOT_FOUND);
  CHECK_INT(lookup(user), RSM_NOT_FOUND);
  end_child(changed);
  end_child(user);
}

static bool sleeps(pid_t pid) {
  char path[64], target[256] = "";
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  return readlink(path, target, sizeof target - 1) > 0 && strstr(target, "sleep");
}

static void ends_with_its_program(void) {
  pid_t pid = fork();
  if (pid == 0) {
    register_two();
    execl("/bin/sleep", "sleep", "60", (char *)NULL);
    _exit(1);
  }
  CHECK(UNTIL(5000, sleeps(pid) && lookup(pid) == RSM_NOT_FOUND));
  end_child(pid);
}

static void damaged_files(void) {
  char path[200];
  unsigned char content[4096];
  pid_t pid = child_that(register_two);
  file_path(pid, path, sizeof path);
  FILE *file = fopen(path, "r");
  size_t length = file ? fread(content, 1, sizeof content, file) : 0;
  if (file) fclose(file);
  CHECK(length > 40);
  for (size_t i = 0; i < length; i++) {
    content[i] ^= 0x41;
    file = fopen(path, "w");
    CHECK(file && fwrite(content, 1, i % 3 == 0 ? i : length, file) == (i % 3 == 0 ? i : length) && fclose(file) == 0);
    CHECK_INT(lookup(pid), RSM_NOT_FOUND);
    content[i] ^= 0x41;
  }
  register_two(); /* sweeps the damaged one */
  CHECK_INT(count_files(), 1);
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
  end_child(pid);
}

static void second_place(void) {
  CHECK(chmod("/run/restartmanager", 0755) == 0);
  CHECK_INT(rsm__registration_set(NULL, 0, 0, NULL), RSM_OK);
  CHECK_INT(access("/var/tmp/restartmanager-0/registered", F_OK), 0);
  CHECK_INT(lookup(getpid()), RSM_OK);
  CHECK(chmod("/run/restartmanager", 0700) == 0 && chmod("/var/tmp/restartmanager-0", 0755) == 0);
  CHECK_INT(lookup(getpid()), RSM_NOT_FOUND);
  CHECK(chmod("/run/restartmanager", 0755) == 0);
  rsm_error error = {0};
  CHECK_INT(rsm__registration_set(NULL, 0, 0, &error), RSM_ACCESS_DENIED);
  CHECK_TEXT(error.subject, "/run/restartmanager");
  CHECK(chmod("/run/restartmanager", 0700) == 0 && chmod("/var/tmp/restartmanager-0", 0700) == 0);
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(set_get_clear),         CHECK_TEST(limits),        CHECK_TEST(nobody_speaks_for_another),
      CHECK_TEST(ends_with_its_program), CHECK_TEST(damaged_files), CHECK_TEST(second_place),
  };
  return own_folders() ? check_run(tests, RSM_COUNT(tests), argc, argv) : 0;
}
