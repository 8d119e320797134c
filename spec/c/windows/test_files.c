/* test_files.c: registered paths on Windows: made absolute, and where they really lead. SPDX-License-Identifier: MIT */
#include "holding_windows.h"

/* ---- Absolute text ---- */

static void check_absolute(const char *path, const char *expected) {
  char *text = NULL;
  CHECK(rsm__files_absolute(path, &text, NULL) == RSM_OK);
  CHECK_TEXT(text, expected);
  rsm__free(text);
}

static void test_absolute_as_win32_reads_it(void) {
  check_absolute("C:\\a\\b", "C:\\a\\b");
  check_absolute("C:/a//b/", "C:\\a\\b");
  check_absolute("C:\\a\\.\\x\\..\\b", "C:\\a\\b");
  check_absolute("C:\\a\\b. . ", "C:\\a\\b");
  check_absolute("C:\\", "C:\\");
  check_absolute("C:\\a\\..", "C:\\");
  check_absolute("\\\\server\\share\\dir\\", "\\\\server\\share\\dir");
  check_absolute("//server/share/x", "\\\\server\\share\\x");
  check_absolute("C:\\gr\xc3\xbc\xc3\x9f", "C:\\gr\xc3\xbc\xc3\x9f");
  check_absolute("C:\\x\xed\xa0\x80y", "C:\\x\xed\xa0\x80y"); /* a surrogate without its partner */
}

static void test_absolute_with_prefixes(void) {
  check_absolute("\\\\?\\C:\\a\\b", "C:\\a\\b");
  check_absolute("\\??\\C:\\a\\b", "C:\\a\\b");
  check_absolute("\\\\.\\C:\\a\\b", "C:\\a\\b");
  check_absolute("\\\\?\\UNC\\server\\share\\x", "\\\\server\\share\\x");
  check_absolute("\\\\?\\C:\\", "C:\\");
  /* without the prefix these would be other files */
  check_absolute("\\\\?\\C:\\a\\b.", "\\\\?\\C:\\a\\b.");
  check_absolute("\\\\?\\C:\\a\\ ", "\\\\?\\C:\\a\\ ");
  check_absolute("\\\\?\\Volume{12345678-0000-0000-0000-000000000000}\\x",
                 "\\\\?\\Volume{12345678-0000-0000-0000-000000000000}\\x");
}

static void test_absolute_from_the_directory(void) {
  char expected[HOLDING_PATH * 3 + 8];
  const char *here = in(L"");
  CHECK(SetCurrentDirectoryW(folder));
  snprintf(expected, sizeof expected, "%s\\sub\\file", here);
  check_absolute("sub/file", expected);
  check_absolute(".\\x\\..\\sub\\file", expected);
  char relative[] = "C:sub\\file";
  relative[0] = here[0];
  check_absolute(relative, expected);
  snprintf(expected, sizeof expected, "%.2s\\sub\\file", here);
  check_absolute("\\sub\\file", expected);
  CHECK(SetCurrentDirectoryW(L"C:\\"));
}

static void test_absolute_at_any_length(void) {
  char path[3000] = "C:", expected[3000];
  size_t length = strlen(path);
  while (length < 2500) length += (size_t)snprintf(path + length, sizeof path - length, "\\0123456789abcdef");
  snprintf(expected, sizeof expected, "%s", path);
  check_absolute(path, expected);
  snprintf(path + length, sizeof path - length, "\\.\\x\\..");
  check_absolute(path, expected);
}

static void test_absolute_refuses(void) {
  static const char *const bad[] = {"", "C:\\\xff\xfe", "C:\\\xc3", "C:\\\xed\xa0\x80\xed\xb0\x80"};
  for (size_t i = 0; i < RSM_COUNT(bad); i++) {
    char *text = (char *)(uintptr_t)1;
    rsm_error error = {0};
    CHECK_INT(rsm__files_absolute(bad[i], &text, &error), RSM_BAD_ARGUMENTS);
    CHECK(error.status == RSM_BAD_ARGUMENTS && error.detail[0] && text == (char *)(uintptr_t)1);
  }
  CHECK_INT(rsm__files_absolute(NULL, NULL, NULL), RSM_BAD_ARGUMENTS);
}

/* ---- Real paths ---- */

static const char *real_of(const char *path) {
  const char *real = NULL;
  rsm__arena_done(&arena);
  CHECK(rsm__lookup_real(lookup, &path, 1, &arena, &real, NULL) == RSM_OK);
  return real;
}

static void test_real_spelling(void) {
  put_folder(L"Folder");
  put(L"Folder\\File.TXT");
  CHECK_TEXT(real_of(in(L"folder\\FILE.txt")), in(L"Folder\\File.TXT"));
  CHECK_TEXT(real_of(in(L"FOLDER")), in(L"Folder"));
  CHECK_TEXT(real_of("c:\\"), "C:\\");
  wchar_t small[HOLDING_PATH];
  put(L"a long name of a file.text");
  if (GetShortPathNameW(win(L"a long name of a file.text") + 4, small, HOLDING_PATH) > 0) {
    char text[HOLDING_PATH];
    rsm__narrow_to(text, sizeof text, small, wcslen(small));
    CHECK_TEXT(real_of(text), in(L"a long name of a file.text"));
  }
}

static void test_real_of_what_is_missing(void) {
  put_folder(L"There");
  CHECK_TEXT(real_of(in(L"there\\gone")), in(L"There\\gone"));
  CHECK_TEXT(real_of(in(L"there\\gone\\Deep\\er")), in(L"There\\gone\\Deep\\er"));
  CHECK_TEXT(real_of("Q:\\no\\drive"), "Q:\\no\\drive");
  CHECK_TEXT(real_of("\\\\.\\nul"), "\\\\.\\nul");
  put(L"file");
  CHECK_TEXT(real_of(in(L"file\\below")), in(L"file\\below"));
}

static void test_real_through_links(void) {
  put_folder(L"v1");
  put(L"v1\\file");
  if (!put_link(L"current", L"v1")) {
    printf("skipped: links (not permitted here)\n");
    return;
  }
  wchar_t system[HOLDING_PATH];
  HANDLE file = CreateFileW(win(L"current\\file"), 0, 7, NULL, OPEN_EXISTING, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE && GetFinalPathNameByHandleW(file, system, HOLDING_PATH, 0) > 0);
  CloseHandle(file);
  if (wcsstr(system, L"current")) {
    printf("skipped: real paths through links (Wine does not tell where they lead)\n");
    return;
  }
  CHECK_TEXT(real_of(in(L"current\\file")), in(L"v1\\file"));
  CHECK_TEXT(real_of(in(L"current\\gone")), in(L"v1\\gone"));
  CHECK_TEXT(real_of(in(L"current")), in(L"v1"));
}

/* From some number of files on a directory is read, not each file opened: the answers stay the same. */
static void test_many_of_one_directory(void) {
  enum { MANY = 40 };
  const char *paths[MANY], *reals[MANY];
  wchar_t name[64];
  put_folder(L"many");
  for (int i = 0; i < MANY; i++) {
    swprintf(name, 64, L"many\\File-%d", i);
    if (i % 4 == 0) put(name);
    if (i % 4 == 1) put_folder(name);
    swprintf(name, 64, i % 2 ? L"MANY\\file-%d" : L"many\\FILE-%d", i);
    paths[i] = rsm__narrow_new(win(name) + 4, wcslen(win(name)) - 4);
    CHECK(paths[i]);
  }
  rsm__arena_done(&arena);
  CHECK(rsm__lookup_real(lookup, paths, MANY, &arena, reals, NULL) == RSM_OK);
  for (int i = 0; i < MANY; i++) {
    swprintf(name, 64, i % 4 < 2 ? L"many\\File-%d" : i % 4 == 2 ? L"many\\FILE-%d" : L"many\\file-%d", i);
    CHECK_TEXT(reals[i], in(name));
    rsm__free((void *)(uintptr_t)paths[i]);
  }
}

static void test_real_at_any_length(void) {
  wchar_t path[HOLDING_PATH] = L"long";
  put_folder(path);
  for (int i = 0; i < 5; i++) {
    wcscat(path, L"\\0123456789012345678901234567890123456789012345678901234567890123456789");
    put_folder(path);
  }
  wcscat(path, L"\\File");
  put(path);
  char upper[HOLDING_PATH * 3];
  snprintf(upper, sizeof upper, "%s", in(path));
  CHECK(strlen(upper) > 300);
  _strupr(strrchr(upper, '\\'));
  CHECK_TEXT(real_of(upper), in(path));
}

static void test_want_of_memory(void) {
  put_folder(L"dir");
  put(L"dir\\file");
  const char *paths[] = {in(L"dir\\file"), in(L"gone\\x"), in(L"dir")};
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status == RSM_OUT_OF_MEMORY; n++) {
    const char *reals[3] = {"untouched"};
    RSM_CLEAN_ARENA rsm__arena memory = {0};
    long before = rsm__alloc_live();
    rsm__alloc_fail_at(n, 1);
    status = rsm__lookup_real(lookup, paths, 3, &memory, reals, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || (status == RSM_OUT_OF_MEMORY && strcmp(reals[0], "untouched") == 0));
    if (status == RSM_OK) CHECK_TEXT(reals[1], in(L"gone\\x"));
    rsm__arena_done(&memory);
    CHECK_INT(rsm__alloc_live(), before);
  }
  for (unsigned long n = 1; n < 12; n++) {
    char *text = NULL;
    rsm__alloc_fail_at(n, 1);
    status = rsm__files_absolute("\\\\?\\C:\\dir\\file", &text, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK ? text != NULL : status == RSM_OUT_OF_MEMORY && !text);
    if (text) CHECK_TEXT(text, "C:\\dir\\file");
    rsm__free(text);
  }
  CHECK_INT(status, RSM_OK);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_absolute_as_win32_reads_it),
      CHECK_TEST(test_absolute_with_prefixes),
      CHECK_TEST(test_absolute_from_the_directory),
      CHECK_TEST(test_absolute_at_any_length),
      CHECK_TEST(test_absolute_refuses),
      CHECK_TEST(test_real_spelling),
      CHECK_TEST(test_real_of_what_is_missing),
      CHECK_TEST(test_real_through_links),
      CHECK_TEST(test_many_of_one_directory),
      CHECK_TEST(test_real_at_any_length),
      CHECK_TEST(test_want_of_memory),
  };
  begin();
  int result = 0;
  for (size_t i = 0; i < RSM_COUNT(tests) && result == 0; i++) {
    result = check_run(&tests[i], 1, argc, argv);
    clean();
  }
  finish();
  return result;
}
