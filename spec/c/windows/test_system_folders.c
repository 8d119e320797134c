/* test_system_folders.c: registered directories of the `system` manager, over the scripted rstrtmgr.dll.
 * SPDX-License-Identifier: MIT */
#include "system_fixture.h"

#include <wchar.h>

enum { ROOM = 1024, DEPTH = 30 };

static WCHAR root[ROOM];

/* Below the root; with the prefix that lifts the limit of 260. */
static const WCHAR *whole(const WCHAR *name) {
  static WCHAR path[ROOM];
  swprintf(path, ROOM, L"\\\\?\\%ls\\%ls", root, name);
  return path;
}

static void make_file(const WCHAR *name) {
  HANDLE file = CreateFileW(whole(name), GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  CloseHandle(file);
}

static void make_root(void) {
  swprintf(root, ROOM, L"C:\\rm-system-folders-%lu", GetCurrentProcessId());
  CHECK(CreateDirectoryW(root, NULL));
}

static void remove_root(void) {
  CHECK(RemoveDirectoryW(root));
}

static rsm_status enroll_root(rsm_session *session, rsm_error *reterr) {
  char narrow[ROOM];
  WideCharToMultiByte(CP_UTF8, 0, root, -1, narrow, sizeof narrow, NULL, NULL);
  const char *file = narrow;
  return rsm_session_register(session, &(rsm_resources){.files = &file, .file_count = 1}, reterr);
}

static void what_comes_later_is_handed_over_at_the_next_listing(void) {
  static const WCHAR *const names[] = {L"one", L"sub\\two", L"sub\\three", L"sub\\four"};
  rsm_error error;
  begin_script();
  make_root();
  CHECK(CreateDirectoryW(whole(L"sub"), NULL));
  for (size_t i = 0; i < 3; i++) make_file(names[i]);
  rsm_session *session = begin_session();
  CHECK_INT(enroll_root(session, &error), RSM_OK);
  CHECK_INT(orders->files, 3);
  CHECK(wcsncmp(orders->first_file, root, wcslen(root)) == 0); /* without a prefix */
  rsm_list_free(list_now(session));
  CHECK_INT(orders->files, 3); /* nothing new */
  make_file(names[3]);
  rsm_list_free(list_now(session));
  CHECK_INT(orders->files, 4);
  CHECK(wcsstr(orders->last_file, L"\\sub\\four"));
  rsm_list_free(list_now(session));
  CHECK_INT(orders->files, 4);
  rsm_session_free(session);
  for (size_t i = 0; i < 4; i++) CHECK(DeleteFileW(whole(names[i])));
  CHECK(RemoveDirectoryW(whole(L"sub")));
  remove_root();
}

/* Between RmShutdown and the look at what it has done nothing is registered any more. */
static void nothing_is_handed_over_once_the_deed_is_done(void) {
  rsm_error error;
  rsm_report *report;
  begin_script();
  make_root();
  rsm_session *session = begin_session();
  CHECK_INT(enroll_root(session, &error), RSM_OK);
  rsm_op *op;
  rsm_event event;
  one_app(RUN, STOPPED, AGAIN, TRUE);
  orders->percents[0] = 50; /* a moment in the middle of RmShutdown */
  orders->percent_count = 1;
  CHECK_INT(rsm_session_begin_shutdown(session, NULL, &op, &error), RSM_OK);
  while (rsm_op_step(op, 10000, &event) == RSM_PENDING && rsm_op_percent(op) < 50) continue;
  CHECK_INT(orders->shutdowns, 1);
  make_file(L"late");
  finish(op);
  CHECK_INT(orders->files, 0);
  report = rsm_op_take_report(op);
  check_one(report, RSM_OUTCOME_STOPPED, "editor");
  rsm_report_free(report);
  rsm_op_free(op);
  rsm_list_free(list_now(session));
  CHECK_INT(orders->files, 1);
  rsm_session_end(session, RSM_END_LEAVE_STOPPED, NULL);
  rsm_session_free(session);
  CHECK(DeleteFileW(whole(L"late")));
  remove_root();
}

/* words: of the one thing that could not be looked into; NULL: there is none. */
static void check_untold(const rsm_list *list, const char *words) {
  CHECK_INT(rsm_list_unreadable_count(list), words ? 1 : 0);
  CHECK_INT(rsm_list_complete(list), !words);
  if (words) CHECK_WORDS(rsm_list_unreadable_at(list, 0)->reason, words);
}

/* One file that the system does not take must spoil neither the others nor the listings; each tells of it. */
static void a_path_that_is_too_long_is_told_and_spoils_nothing(void) {
  rsm_error error;
  WCHAR name[ROOM] = L"12345678"; /* no shorter one has it */
  begin_script();
  make_root();
  orders->longest_path = 259;
  for (int i = 0; i < DEPTH; i++) {
    CHECK(CreateDirectoryW(whole(name), NULL));
    if (i + 1 < DEPTH) wcscat(name, L"\\12345678");
  }
  size_t folders = wcslen(name);
  wcscat(name, L"\\long");
  make_file(name);
  make_file(L"short");
  rsm_session *session = begin_session();
  CHECK_INT(enroll_root(session, &error), RSM_OK);
  CHECK_INT(orders->files, 1);
  for (int i = 0; i < 2; i++) {
    rsm_list *list = list_now(session);
    check_untold(list, "too long");
    rsm_list_free(list);
  }
  CHECK(DeleteFileW(whole(name)));
  rsm_list *list = list_now(session);
  check_untold(list, NULL);
  rsm_list_free(list);
  rsm_session_free(session);
  CHECK(DeleteFileW(whole(L"short")));
  for (name[folders] = 0; *name; name[wcslen(name) > 8 ? wcslen(name) - 9 : 0] = 0)
    CHECK(RemoveDirectoryW(whole(name)));
  remove_root();
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(what_comes_later_is_handed_over_at_the_next_listing),
      CHECK_TEST(nothing_is_handed_over_once_the_deed_is_done),
      CHECK_TEST(a_path_that_is_too_long_is_told_and_spoils_nothing),
  };
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
