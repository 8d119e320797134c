/* test_wide.c: UTF-8 and UTF-16, and command lines. SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <windows.h>
#include <shellapi.h>

#include "../check.h"
#include "os/windows/command_line.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"

static uint32_t seed = 12345;

static uint32_t draw(uint32_t below) {
  seed = seed * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)seed * below >> 32);
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

static void expect_both_ways(const wchar_t *wide, const char *text) {
  RSM_CLEAN_FREE char *narrow = rsm__narrow_new(wide, wcslen(wide));
  RSM_CLEAN_WIDE back = NULL;
  CHECK_TEXT(narrow, text);
  CHECK_INT(rsm__wide_new(text, &back, NULL), RSM_OK);
  CHECK(wcscmp(back, wide) == 0);
}

static void test_known_texts(void) {
  expect_both_ways(L"", "");
  expect_both_ways(L"plain", "plain");
  expect_both_ways(L"\x00e9\x07ff", "\xC3\xA9\xDF\xBF");
  expect_both_ways(L"\x0800\x20AC\xFFFD\xFFFF", "\xE0\xA0\x80\xE2\x82\xAC\xEF\xBF\xBD\xEF\xBF\xBF");
  expect_both_ways(L"\xD83D\xDE00", "\xF0\x9F\x98\x80");
  expect_both_ways(L"\xDBFF\xDFFF", "\xF4\x8F\xBF\xBF");
}

static void test_lone_surrogates_come_back(void) {
  expect_both_ways(L"a\xD800", "a\xED\xA0\x80");
  expect_both_ways(L"\xDFFF"
                   L"b",
                   "\xED\xBF\xBF"
                   "b");
  expect_both_ways(L"\xDC00\xD800", "\xED\xB0\x80\xED\xA0\x80"); /* the wrong way round: no pair */
  expect_both_ways(L"\xD800\xD800\xDC00", "\xED\xA0\x80\xF0\x90\x80\x80");
}

static void test_any_units_come_back(void) {
  static const wchar_t kinds[] = {0x41, 0xE9, 0x800, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF};
  for (int round = 0; round < 20000; round++) {
    wchar_t wide[12] = {0};
    uint32_t length = draw(12);
    for (uint32_t i = 0; i < length; i++)
      wide[i] = draw(2) ? kinds[draw(RSM_COUNT(kinds))] : (wchar_t)(1 + draw(0xFFFF));
    RSM_CLEAN_FREE char *narrow = rsm__narrow_new(wide, length);
    RSM_CLEAN_WIDE back = NULL;
    CHECK_INT(rsm__wide_new(narrow, &back, NULL), RSM_OK);
    CHECK(wcslen(back) == length && wcscmp(back, wide) == 0);
  }
}

static void test_malformed_text_is_refused(void) {
  static const char *const bad[] = {"\x80",
                                    "\xC3",
                                    "\xC0\x80",
                                    "\xC1\xBF",
                                    "\xE0\x9F\xBF",
                                    "\xE2\x82",
                                    "\xF0\x8F\xBF\xBF",
                                    "\xF4\x90\x80\x80",
                                    "\xF8\x88\x80\x80\x80",
                                    "\xFF",
                                    "\xED\xA0\x80\xED\xB0\x80", /* a pair, spelled as two */
                                    "good\xC3(bad)"};
  for (size_t i = 0; i < RSM_COUNT(bad); i++) {
    wchar_t *wide = NULL;
    rsm_error error;
    CHECK_INT(rsm__wide_new(bad[i], &wide, &error), RSM_BAD_ARGUMENTS);
    CHECK(wide == NULL && strstr(error.detail, "UTF-8"));
  }
}

/* Any bytes: refused, or they come back as they were. */
static void test_any_bytes(void) {
  unsigned accepted = 0;
  for (int round = 0; round < 20000; round++) {
    char text[8] = {0};
    uint32_t length = draw(7);
    for (uint32_t i = 0; i < length; i++) text[i] = (char)(1 + draw(255));
    RSM_CLEAN_WIDE wide = NULL;
    if (rsm__wide_new(text, &wide, NULL) != RSM_OK) continue;
    accepted++;
    RSM_CLEAN_FREE char *back = rsm__narrow_new(wide, wcslen(wide));
    CHECK_TEXT(back, text);
  }
  CHECK(accepted > 1000);
}

static void test_narrow_to_cuts_whole_characters(void) {
  char buffer[8];
  CHECK_TEXT(rsm__narrow_to(buffer, 3, L"a\x20AC", 2), "a");
  CHECK_TEXT(rsm__narrow_to(buffer, 4, L"a\x20AC", 2), "a");
  CHECK_TEXT(rsm__narrow_to(buffer, 5, L"a\x20AC", 2), "a\xE2\x82\xAC");
  CHECK_TEXT(rsm__narrow_to(buffer, 1, L"a", 1), "");
}

static void test_no_memory(void) {
  wchar_t *wide = NULL;
  rsm__alloc_fail_at(1, 0);
  CHECK_INT(rsm__wide_new("text", &wide, NULL), RSM_OUT_OF_MEMORY);
  rsm__alloc_fail_at(1, 0);
  CHECK(rsm__narrow_new(L"text", 4) == NULL);
  rsm__alloc_fail_at(0, 0);
}

/* ---- Paths ------------------------------------------------------------------------------------------------------- */

static void expect_path(const char *path, const wchar_t *wanted) {
  RSM_CLEAN_WIDE wide = NULL;
  CHECK_INT(rsm__wide_path(path, &wide, NULL), RSM_OK);
  if (wcscmp(wide, wanted) != 0) fprintf(stderr, "%s -> %ls, not %ls\n", path, wide, wanted);
  CHECK(wcscmp(wide, wanted) == 0);
}

static void test_paths(void) {
  expect_path("C:\\dir\\file", L"C:\\dir\\file");
  expect_path("C:/dir/../file", L"C:\\file");
  expect_path("\\\\?\\C:\\dir/x", L"\\\\?\\C:\\dir/x");
  char path[400];
  snprintf(path, sizeof path, "C:/%0*d/file", 300, 0);
  RSM_CLEAN_WIDE wide = NULL;
  CHECK_INT(rsm__wide_path(path, &wide, NULL), RSM_OK);
  CHECK(wcsncmp(wide, L"\\\\?\\C:\\000", 10) == 0 && wcslen(wide) == 4 + 3 + 300 + 5);
  snprintf(path, sizeof path, "\\\\server\\share\\%0*d", 300, 0);
  RSM_CLEAN_WIDE share = NULL;
  CHECK_INT(rsm__wide_path(path, &share, NULL), RSM_OK);
  CHECK(wcsncmp(share, L"\\\\?\\UNC\\server\\share\\000", 24) == 0);
}

static void test_names(void) {
  CHECK(rsm__wide_same_name(L"C:\\Users\\\x00c9", L"c:\\users\\\x00e9"));
  CHECK(!rsm__wide_same_name(L"a", L"ab"));
  CHECK(rsm__narrow_same_name("C:\\Users\\\xC3\x89\xF0\x9F\x8C\x8D", "c:\\users\\\xC3\xA9\xF0\x9F\x8C\x8D"));
  CHECK(!rsm__narrow_same_name("a", "ab") && !rsm__narrow_same_name("ab", "a"));
  CHECK(!rsm__narrow_same_name("\xC3", "\xC3\xA9")); /* no text */
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

static void test_errors(void) {
  rsm_error error;
  CHECK_INT(rsm__fail_windows(&error, ERROR_ACCESS_DENIED, "CreateFileW", "C:\\x"), RSM_ACCESS_DENIED);
  CHECK_INT(error.os_code, 5);
  CHECK(error.os_text[0] && error.os_text[strlen(error.os_text) - 1] != '.');
  CHECK(rsm__fail_windows(NULL, 0, "CreateFileW", NULL) != RSM_OK); /* a call that failed and does not say why */
  CHECK_INT(rsm__fail_nt(&error, (int32_t)0xC0000022, "NtOpenProcess", NULL), RSM_ACCESS_DENIED);
  CHECK_INT(error.os_code, (int)0xC0000022);
  CHECK_INT(rsm__fail_hresult(&error, (int32_t)0x80070002, "SHGetKnownFolderPath", NULL), RSM_FILE_NOT_FOUND);
  CHECK_INT(rsm__windows_status(54321), RSM_GEN_FAILURE);
  SetLastError(77);
  rsm__fail_windows(&error, ERROR_DISK_FULL, "WriteFile", NULL);
  CHECK_INT(GetLastError(), 77);
}

/* ---- Command lines ----------------------------------------------------------------------------------------------- */

/* The system's own opinion, as UTF-8. */
static void expect_like_system(const wchar_t *line) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *const *args;
  size_t count;
  int wanted = 0;
  LPWSTR *list = CommandLineToArgvW(line, &wanted);
  CHECK(list);
  CHECK_INT(rsm__command_line_split(line, &arena, &args, &count, NULL), RSM_OK);
  if ((int)count != wanted) fprintf(stderr, "of <%ls>\n", line);
  CHECK_INT(count, wanted);
  for (size_t i = 0; i < count; i++) {
    RSM_CLEAN_FREE char *text = rsm__narrow_new(list[i], wcslen(list[i]));
    if (strcmp(args[i], text) != 0) fprintf(stderr, "argument %u of <%ls>\n", (unsigned)i, line);
    CHECK_TEXT(args[i], text);
  }
  CHECK(args[count] == NULL);
  LocalFree(list);
}

static void test_split_known_lines(void) {
  static const wchar_t *const lines[] = {L"a",
                                         L"a b",
                                         L" a b",
                                         L"\"a b\" c",
                                         L"\"a\"b c",
                                         L"a \"\" b",
                                         L"a \"b\"\"c\" d",
                                         L"a \"\"\"\"",
                                         L"a \\\"b",
                                         L"a \\\\\"b c\"",
                                         L"a \\\\\\\"b c",
                                         L"a b\\\\c",
                                         L"a \"b\\\\\" c",
                                         L"a\tb  c  ",
                                         L"\"a",
                                         L"a \"b c",
                                         L"a b\"c\"d",
                                         L"\\\"a b",
                                         L"\"a\\\" b c\"",
                                         L"a \"\"\"b c\"\"\" d"};
  for (size_t i = 0; i < RSM_COUNT(lines); i++) expect_like_system(lines[i]);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *const *args;
  size_t count = 7;
  CHECK_INT(rsm__command_line_split(L"", &arena, &args, &count, NULL), RSM_OK);
  CHECK_INT(count, 0);
}

static void test_split_any_lines(void) {
  static const wchar_t letters[] = L"ab\"\"\"\\\\\\  \t";
  for (int round = 0; round < 50000; round++) {
    wchar_t line[16] = {0};
    uint32_t length = 1 + draw(15);
    for (uint32_t i = 0; i < length; i++) line[i] = letters[draw(RSM_COUNT(letters) - 1)];
    expect_like_system(line);
  }
}

static void expect_join(const char *const *args, size_t count, const wchar_t *wanted) {
  RSM_CLEAN_WIDE line = NULL;
  CHECK_INT(rsm__command_line_join(args, count, &line, NULL), RSM_OK);
  if (wcscmp(line, wanted) != 0) fprintf(stderr, "<%ls>, not <%ls>\n", line, wanted);
  CHECK(wcscmp(line, wanted) == 0);
}

static void test_join_known(void) {
  expect_join((const char *[]){"C:\\a b\\x.exe", "plain", "", "a b"}, 4, L"\"C:\\a b\\x.exe\" plain \"\" \"a b\"");
  expect_join((const char *[]){"x", "a\\b", "a b\\", "\\\"", "\\"}, 5, L"x a\\b \"a b\\\\\" \"\\\\\\\"\" \\");
  wchar_t *line = NULL;
  CHECK_INT(rsm__command_line_join((const char *[]){"a\"b"}, 1, &line, NULL), RSM_INVALID_PARAMETER);
  CHECK_INT(rsm__command_line_join(NULL, 0, &line, NULL), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm__command_line_join((const char *[]){"x", "\xFF"}, 2, &line, NULL), RSM_BAD_ARGUMENTS);
}

static void test_join_too_long(void) {
  RSM_CLEAN_FREE char *text = rsm__malloc(40000);
  RSM_CLEAN_WIDE line = NULL;
  memset(text, 'a', 39999);
  text[RSM__COMMAND_LINE_MOST - 2] = '\0';
  CHECK_INT(rsm__command_line_join((const char *[]){"x", text}, 2, &line, NULL), RSM_OK);
  CHECK(wcslen(line) == RSM__COMMAND_LINE_MOST);
  wchar_t *longer = NULL;
  text[RSM__COMMAND_LINE_MOST - 2] = 'a';
  text[RSM__COMMAND_LINE_MOST - 1] = '\0';
  CHECK_INT(rsm__command_line_join((const char *[]){"x", text}, 2, &longer, NULL), RSM_INVALID_PARAMETER);
}

/* Whatever is joined splits into the same, by our rules and by the system's. */
static void test_join_and_split_any(void) {
  static const char letters[] = "ab\"\"\\\\ \t\n";
  for (int round = 0; round < 50000; round++) {
    char texts[4][10] = {{0}};
    const char *args[4];
    size_t count = 1 + draw(4);
    for (size_t i = 0; i < count; i++) {
      uint32_t length = draw(9);
      for (uint32_t k = 0; k < length; k++) do
          texts[i][k] = letters[draw(sizeof letters - 1)];
        while (i == 0 && texts[i][k] == '"');
      args[i] = texts[i];
    }
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    RSM_CLEAN_WIDE line = NULL;
    const char *const *back;
    size_t found;
    CHECK_INT(rsm__command_line_join(args, count, &line, NULL), RSM_OK);
    CHECK_INT(rsm__command_line_split(line, &arena, &back, &found, NULL), RSM_OK);
    if (count == found)
      for (size_t i = 0; i < count; i++) CHECK_TEXT(back[i], args[i]);
    else
      fprintf(stderr, "<%ls>\n", line);
    CHECK_INT(found, count);
    expect_like_system(line);
  }
}

static void test_split_no_memory(void) {
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status == RSM_OUT_OF_MEMORY; n++) {
    rsm__arena arena = {0};
    const char *const *args;
    size_t count;
    rsm__alloc_fail_at(n, 0);
    status = rsm__command_line_split(L"a b \"c d\"", &arena, &args, &count, NULL);
    rsm__alloc_fail_at(0, 0);
    rsm__arena_done(&arena);
  }
  CHECK_INT(status, RSM_OK);
  CHECK_INT(rsm__alloc_live(), 0);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_known_texts),
      CHECK_TEST(test_lone_surrogates_come_back),
      CHECK_TEST(test_any_units_come_back),
      CHECK_TEST(test_malformed_text_is_refused),
      CHECK_TEST(test_any_bytes),
      CHECK_TEST(test_narrow_to_cuts_whole_characters),
      CHECK_TEST(test_no_memory),
      CHECK_TEST(test_paths),
      CHECK_TEST(test_names),
      CHECK_TEST(test_errors),
      CHECK_TEST(test_split_known_lines),
      CHECK_TEST(test_split_any_lines),
      CHECK_TEST(test_join_known),
      CHECK_TEST(test_join_too_long),
      CHECK_TEST(test_join_and_split_any),
      CHECK_TEST(test_split_no_memory),
  };
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
