/* test_private_dir.c: folders that are not what they should be are refused; files are whole or not there; the lock
 * works between processes. All in a folder of this test's own below the user's. SPDX-License-Identifier: MIT */
#include <windows.h>
#include <aclapi.h>

#include "../check.h"
#include "base/cleanup.h"
#include "os/clock.h"
#include "os/user.h"
#include "os/windows/create_process.h"
#include "os/windows/private.h"
#include "os/windows/wide.h"

static rsm__dir *home;
static char home_name[40];

static rsm__dir *open_place(void) {
  rsm__dir *place = NULL;
  rsm_error error = {0};
  rsm_status status = rsm__private_place_open(rsm__user_current(), 0, true, &place, &error);
  if (status != RSM_OK) fprintf(stderr, "%s %s %s\n", error.subject, error.detail, error.os_text);
  CHECK_INT(status, RSM_OK);
  return place;
}

static void make_home(void) {
  rsm__dir *place = open_place();
  uint32_t unique;
  CHECK_INT(rsm__random(&unique, sizeof unique, NULL), RSM_OK);
  snprintf(home_name, sizeof home_name, "test-%08x", (unsigned)unique);
  CHECK_INT(rsm__dir_open(place, home_name, true, &home, NULL), RSM_OK);
  rsm__dir_close(place);
}

static void remove_home(void) {
  rsm__dir *place = open_place();
  home = rsm__dir_close(home);
  CHECK_INT(rsm__dir_remove(place, home_name, NULL), RSM_OK);
  rsm__dir *gone = NULL;
  CHECK_INT(rsm__dir_open(place, home_name, false, &gone, NULL), RSM_NOT_FOUND);
  rsm__dir_close(place);
}

static void expect_content(rsm__dir *dir, const char *name, const char *text) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_error error = {0};
  rsm_status status = rsm__dir_read(dir, name, 100, &content, &error);
  if (status != RSM_OK)
    fprintf(stderr, "%s: %s %s (%x)\n", error.subject, error.call, error.os_text, (unsigned)error.os_code);
  CHECK_INT(status, RSM_OK);
  CHECK_INT(content.length, strlen(text));
  CHECK(content.length == 0 || memcmp(content.data, text, content.length) == 0);
}

static void expect_names(rsm__dir *dir, const char *wanted) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *const *names;
  size_t count;
  char all[256] = "";
  size_t used = 0;
  CHECK_INT(rsm__dir_names(dir, 100, &arena, &names, &count, NULL), RSM_OK);
  for (size_t i = 0; i < count; i++) used += (size_t)snprintf(all + used, sizeof all - used, "%s ", names[i]);
  CHECK_TEXT(all, wanted);
}

/* ---- Places ------------------------------------------------------------------------------------------------------ */

static void test_places(void) {
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__private_place_open(rsm__user_current(), 1, true, &dir, &error), RSM_INVALID_PARAMETER);
  CHECK_INT(rsm__private_place_open(rsm__user_current() ^ 1, 0, true, &dir, &error), RSM_ACCESS_DENIED);
  CHECK(!rsm__private_place_in_memory(0));
  CHECK(dir == NULL);
  CHECK(strstr(home->path, "AppData\\Local\\restartmanager\\test-"));
}

/* What the user's other programs may write is not believed: Wine keeps no labels, so there nothing is good enough. */
static void test_elevated(void) {
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  rsm__private_hook_elevated = true;
  rsm_status status = rsm__private_place_open(rsm__user_current(), 0, true, &dir, &error);
  rsm__private_hook_elevated = false;
  if (status == RSM_OK) {
    CHECK(strstr(dir->path, "ProgramData\\restartmanager-S-1-"));
    rsm__dir_close(dir);
    return;
  }
  CHECK_INT(status, RSM_ACCESS_DENIED);
  CHECK(strstr(error.subject, "ProgramData\\restartmanager-S-1-"));
  CHECK(strstr(error.detail, "do not run elevated"));
  RSM_CLEAN_WIDE wide = NULL;
  CHECK_INT(rsm__wide_path(error.subject, &wide, NULL), RSM_OK);
  CHECK(RemoveDirectoryW(wide));
}

static void path_of(const char *name, wchar_t path[MAX_PATH]) {
  char text[512];
  RSM_CLEAN_WIDE wide = NULL;
  CHECK_INT(rsm__wide_path(rsm__dir_text(home, name, text, sizeof text), &wide, NULL), RSM_OK);
  CHECK(wcslen(wide) < MAX_PATH);
  wcscpy(path, wide);
}

/* A folder that everybody may write in. */
static void test_open_to_others(void) {
  wchar_t path[MAX_PATH];
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  SECURITY_DESCRIPTOR descriptor;
  SECURITY_ATTRIBUTES everybody = {.nLength = sizeof everybody, .lpSecurityDescriptor = &descriptor};
  CHECK(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
  CHECK(SetSecurityDescriptorDacl(&descriptor, TRUE, NULL, FALSE));
  path_of("open", path);
  CHECK(CreateDirectoryW(path, &everybody));
  CHECK_INT(rsm__dir_open(home, "open", false, &dir, &error), RSM_ACCESS_DENIED);
  CHECK(dir == NULL && strstr(error.detail, "can be read or written by others"));
  CHECK_INT(rsm__dir_open(home, "open", true, &dir, &error), RSM_ACCESS_DENIED);
  CHECK_INT(rsm__dir_remove(home, "open", NULL), RSM_OK);
}

static void test_not_a_folder(void) {
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  CHECK_INT(rsm__dir_write(home, "plain", "x", 1, NULL), RSM_OK);
  CHECK_INT(rsm__dir_open(home, "plain", false, &dir, &error), RSM_ACCESS_DENIED);
  CHECK(strstr(error.detail, "is not a folder"));
  CHECK(rsm__dir_open(home, "plain", true, &dir, &error) != RSM_OK && dir == NULL);
  CHECK_INT(rsm__dir_open(home, "folder", true, &dir, NULL), RSM_OK);
  CHECK_INT(rsm__dir_read(home, "folder", 10, &content, &error), RSM_ACCESS_DENIED);
  rsm__dir_close(dir);
  CHECK_INT(rsm__dir_remove(home, "folder", NULL), RSM_OK);
  CHECK_INT(rsm__dir_remove(home, "plain", NULL), RSM_OK);
}

static void test_links_are_refused(void) {
  wchar_t link[MAX_PATH], to[MAX_PATH];
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__dir_open(home, "real", true, &dir, NULL), RSM_OK);
  dir = rsm__dir_close(dir);
  path_of("link", link);
  path_of("real", to);
  enum { DIRECTORY = 1, UNPRIVILEGED = 2 };
  if (CreateSymbolicLinkW(link, to, DIRECTORY | UNPRIVILEGED) || CreateSymbolicLinkW(link, to, DIRECTORY)) {
    DWORD attributes = GetFileAttributesW(link);
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT)) {
      CHECK_INT(rsm__dir_open(home, "link", false, &dir, &error), RSM_ACCESS_DENIED);
      CHECK(strstr(error.detail, "link"));
    } else {
      printf("  this system does not tell a link from what it leads to\n");
    }
    CHECK_INT(rsm__dir_remove(home, "link", NULL), RSM_OK);
  }
  CHECK_INT(rsm__dir_open(home, "real", false, &dir, NULL), RSM_OK); /* removing the link left it alone */
  rsm__dir_close(dir);
  CHECK_INT(rsm__dir_remove(home, "real", NULL), RSM_OK);
}

static void test_bad_names(void) {
  static const char *const bad[] = {"", ".", "..", "a/b", "a\\b", "C:", "a:stream", "a*", "end.", "end ", "a\nb"};
  rsm__dir *dir = NULL;
  for (size_t i = 0; i < RSM_COUNT(bad); i++) {
    CHECK_INT(rsm__dir_open(home, bad[i], true, &dir, NULL), RSM_BAD_ARGUMENTS);
    CHECK_INT(rsm__dir_write(home, bad[i], "x", 1, NULL), RSM_BAD_ARGUMENTS);
    CHECK_INT(rsm__dir_remove(home, bad[i], NULL), RSM_BAD_ARGUMENTS);
  }
}

/* ---- Names, renaming, removing ----------------------------------------------------------------------------------- */

static void test_names_and_renaming(void) {
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__dir_open(home, ".new-1", true, &dir, NULL), RSM_OK);
  CHECK_INT(rsm__dir_write(dir, "primary", "one", 3, NULL), RSM_OK);
  CHECK_INT(rsm__dir_write(home, "other", "x", 1, NULL), RSM_OK);
  expect_names(home, ".new-1 other ");
  CHECK_INT(rsm__dir_rename(home, ".new-1", "other", &error), RSM_ACCESS_DENIED);
  CHECK_INT(rsm__dir_rename(home, ".new-1", "key", NULL), RSM_OK);
  CHECK_INT(rsm__dir_rename(home, ".new-1", "key2", &error), RSM_FILE_NOT_FOUND);
  expect_names(home, "key other ");
  /* What is open goes with its new name, but Wine renames nothing below it then. */
  expect_content(dir, "primary", "one");
  rsm__dir_close(dir);
  CHECK_INT(rsm__dir_open(home, "key", false, &dir, NULL), RSM_OK);
  CHECK_INT(rsm__dir_write(dir, "second", "two", 3, NULL), RSM_OK);
  expect_names(dir, "primary second ");
  CHECK(!rsm__dir_is_removed(dir));
  rsm__dir_close(dir);
  CHECK_INT(rsm__dir_remove(home, "key", NULL), RSM_OK);
  CHECK_INT(rsm__dir_remove(home, "key", NULL), RSM_OK); /* gone already */
  CHECK_INT(rsm__dir_remove(home, "other", NULL), RSM_OK);
  expect_names(home, "");
}

/* As a session ends: its folder, and a growing file in it, are still open elsewhere. */
static void test_removed_while_open(void) {
  rsm__dir *elsewhere = NULL, *again = NULL;
  rsm__file *file = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__dir_open(home, "key", true, &elsewhere, NULL), RSM_OK);
  CHECK_INT(rsm__file_create(elsewhere, "journal", &file, NULL), RSM_OK);
  CHECK_INT(rsm__file_append(file, "record", 6, NULL), RSM_OK);
  CHECK(!rsm__dir_is_removed(elsewhere));
  rsm_status renamed = rsm__dir_rename(home, "key", ".old-key", NULL);
  printf("  renaming a folder with an open file: %s\n", rsm_status_code(renamed));
  const char *name = renamed == RSM_OK ? ".old-key" : "key";
  rsm_status removed = rsm__dir_remove(home, name, &error);
  printf("  removing it: %s (%x)\n", rsm_status_code(removed), (unsigned)error.os_code);
  if (renamed == RSM_OK || removed == RSM_OK) CHECK(rsm__dir_is_removed(elsewhere));
  CHECK(renamed != RSM_OK || rsm__dir_open(home, "key", false, &again, NULL) == RSM_NOT_FOUND);
  rsm__file_close(file);
  rsm__dir_close(elsewhere);
  CHECK_INT(rsm__dir_remove(home, name, NULL), RSM_OK);
  expect_names(home, "");
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void test_reading(void) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_error error = {0};
  CHECK_INT(rsm__dir_read(home, "none", 10, &content, &error), RSM_FILE_NOT_FOUND);
  CHECK(strstr(error.subject, "none"));
  CHECK_INT(rsm__dir_write(home, "file", "0123456789", 10, NULL), RSM_OK);
  CHECK_INT(rsm__dir_read(home, "file", 9, &content, &error), RSM_MORE_DATA);
  CHECK_INT(rsm__dir_read(home, "file", 10, &content, NULL), RSM_OK);
  CHECK_INT(content.length, 10);
  CHECK_INT(rsm__dir_write(home, "file", "", 0, NULL), RSM_OK);
  expect_content(home, "file", "");
  expect_names(home, "file ");
  CHECK_INT(rsm__dir_remove(home, "file", NULL), RSM_OK);
}

static DWORD WINAPI replace_often(void *stop) {
  for (unsigned i = 0; WaitForSingleObject(stop, 0) != WAIT_OBJECT_0; i++) {
    char text[16];
    memset(text, 'a' + (int)(i % 26), sizeof text);
    CHECK_INT(rsm__dir_write(home, "file", text, 1 + i % sizeof text, NULL), RSM_OK);
  }
  return 0;
}

/* Whoever reads gets the old or the new content, never a part, and never nothing. */
static void test_replacing_at_once(void) {
  HANDLE stop = CreateEventW(NULL, TRUE, FALSE, NULL);
  CHECK_INT(rsm__dir_write(home, "file", "a", 1, NULL), RSM_OK);
  HANDLE writer = CreateThread(NULL, 0, replace_often, stop, 0, NULL);
  uint64_t until = rsm__clock_ms() + 1000;
  unsigned reads = 0;
  for (; rsm__clock_ms() < until; reads++) {
    RSM_CLEAN_BUFFER rsm__buffer content = {0};
    rsm_error error = {0};
    rsm_status status = rsm__dir_read(home, "file", 100, &content, &error);
    if (status != RSM_OK) fprintf(stderr, "%s %d\n", error.call, error.os_code);
    CHECK_INT(status, RSM_OK);
    CHECK(content.length > 0);
    for (size_t i = 1; i < content.length; i++) CHECK_INT(content.data[i], content.data[0]);
  }
  SetEvent(stop);
  CHECK_INT(WaitForSingleObject(writer, 5000), WAIT_OBJECT_0);
  CloseHandle(writer);
  CloseHandle(stop);
  CHECK(reads > 50);
  CHECK_INT(rsm__dir_remove(home, "file", NULL), RSM_OK);
}

static void test_growing(void) {
  rsm__file *file = NULL, *second = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__file_create(home, "log", &file, NULL), RSM_OK);
  CHECK_INT(rsm__file_create(home, "log", &second, &error), RSM_ACCESS_DENIED);
  CHECK_INT(rsm__file_append(file, "one", 3, NULL), RSM_OK);
  CHECK_INT(rsm__file_append(file, "two", 3, NULL), RSM_OK);
  CHECK_INT(rsm__file_sync(file, NULL), RSM_OK);
  expect_content(home, "log", "onetwo"); /* while it is open */
  rsm__file_close(file);
  CHECK_INT(rsm__file_reopen(home, "log", 7, &file, &error), RSM_WRITE_FAULT);
  CHECK_INT(rsm__file_reopen(home, "log", 4, &file, NULL), RSM_OK);
  CHECK_INT(rsm__file_append(file, "!", 1, NULL), RSM_OK);
  rsm__file_close(file);
  expect_content(home, "log", "onet!");
  CHECK_INT(rsm__file_reopen(home, "none", 0, &file, &error), RSM_FILE_NOT_FOUND);
  CHECK_INT(rsm__dir_remove(home, "log", NULL), RSM_OK);
}

/* ---- The lock ---------------------------------------------------------------------------------------------------- */

/* This program once more: takes the lock, says so, and holds it until it is ended. */
static int hold_lock(const char *name) {
  rsm__dir *place = open_place(), *dir = NULL;
  rsm__lock *lock = NULL;
  CHECK_INT(rsm__dir_open(place, name, false, &dir, NULL), RSM_OK);
  CHECK_INT(rsm__lock_acquire(dir, "lock", 0, &lock, NULL), RSM_OK);
  printf("held\n");
  fflush(stdout);
  Sleep(20000);
  return 0;
}

static HANDLE start_holder(void) {
  wchar_t path[MAX_PATH], line[MAX_PATH + 64];
  HANDLE from, output;
  char got = 0;
  DWORD count;
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  CHECK(CreatePipe(&from, &output, &inherited, 0) && GetModuleFileNameW(NULL, path, MAX_PATH));
  STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = output};
  PROCESS_INFORMATION started;
  _snwprintf(line, RSM_COUNT(line), L"\"%ls\" --hold-lock %hs", path, home_name);
  CHECK(rsm__create_process(path, line, TRUE, 0, NULL, NULL, &startup, &started));
  CloseHandle(output);
  CHECK(ReadFile(from, &got, 1, &count, NULL) && got == 'h');
  CloseHandle(from);
  CloseHandle(started.hThread);
  return started.hProcess;
}

static void test_lock(void) {
  rsm__lock *lock = NULL, *second = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__lock_acquire(home, "lock", 0, &lock, NULL), RSM_OK);
  uint64_t begin = rsm__clock_ms();
  CHECK_INT(rsm__lock_acquire(home, "lock", 100, &second, &error), RSM_SEM_TIMEOUT);
  CHECK(rsm__clock_ms() - begin >= 80);
  CHECK(strstr(error.detail, "somebody else has held the lock for 100 ms"));
  rsm__lock_release(lock);
  CHECK_INT(rsm__lock_acquire(home, "lock", 0, &second, NULL), RSM_OK);
  rsm__lock_release(second);
}

static void test_lock_between_processes(void) {
  rsm__lock *lock = NULL;
  rsm_error error = {0};
  HANDLE holder = start_holder();
  CHECK_INT(rsm__lock_acquire(home, "lock", 50, &lock, &error), RSM_SEM_TIMEOUT);
  CHECK(TerminateProcess(holder, 9) && WaitForSingleObject(holder, 5000) == WAIT_OBJECT_0);
  CHECK_INT(rsm__lock_acquire(home, "lock", 5000, &lock, &error), RSM_OK);
  rsm__lock_release(lock);
  CloseHandle(holder);
}

static void test_random(void) {
  unsigned char one[16] = {0}, two[16] = {0};
  CHECK_INT(rsm__random(one, sizeof one, NULL), RSM_OK);
  CHECK_INT(rsm__random(two, sizeof two, NULL), RSM_OK);
  CHECK(memcmp(one, two, sizeof one) != 0);
}

static rsm_status write_and_read(void) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__file *file = NULL;
  const char *const *names;
  size_t count;
  rsm_status status = rsm__dir_write(home, "memory", "x", 1, NULL);
  if (status == RSM_OK) status = rsm__dir_read(home, "memory", 10, &content, NULL);
  if (status == RSM_OK) status = rsm__dir_names(home, 10, &arena, &names, &count, NULL);
  if (status == RSM_OK) status = rsm__file_reopen(home, "memory", 0, &file, NULL);
  rsm__file_close(file);
  return status;
}

static void test_no_memory(void) {
  long live = rsm__alloc_live();
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status == RSM_OUT_OF_MEMORY; n++) {
    rsm__alloc_fail_at(n, 0);
    status = write_and_read();
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), live);
  }
  CHECK_INT(status, RSM_OK);
  CHECK_INT(rsm__dir_remove(home, "memory", NULL), RSM_OK);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_places),
      CHECK_TEST(test_elevated),
      CHECK_TEST(test_open_to_others),
      CHECK_TEST(test_not_a_folder),
      CHECK_TEST(test_links_are_refused),
      CHECK_TEST(test_bad_names),
      CHECK_TEST(test_names_and_renaming),
      CHECK_TEST(test_removed_while_open),
      CHECK_TEST(test_reading),
      CHECK_TEST(test_replacing_at_once),
      CHECK_TEST(test_growing),
      CHECK_TEST(test_lock),
      CHECK_TEST(test_lock_between_processes),
      CHECK_TEST(test_random),
      CHECK_TEST(test_no_memory),
  };
  if (argc == 3 && strcmp(argv[1], "--hold-lock") == 0) return hold_lock(argv[2]);
  make_home();
  int result = check_run(tests, RSM_COUNT(tests), argc, argv);
  remove_home();
  return result;
}
