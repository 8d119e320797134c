/* test_holders.c: who uses these files, on Windows, with real processes: each test starts its own children and ends
 * them by their handles. SPDX-License-Identifier: MIT */
#include "holding_windows.h"

#include "os/process.h"
#include "os/windows/file_id.h"
#include "os/windows/name.h"
#include "os/windows/wine.h"

/* A process that does `act` with the file; the listing names it alone, with this one use. */
static void check_one(const wchar_t *act, const wchar_t *name, unsigned argument, rsm_use_how how, uint32_t access) {
  child who = start(act, win(name), argument);
  find(name);
  CHECK_INT(found.count, 1);
  const rsm_use *use = only_use(who, how, in(name));
  CHECK_TEXT(use->resource, in(name));
  CHECK_INT(use->access, access);
  CHECK(!use->deleted);
  CHECK(how == RSM_USE_OPEN ? use->fd > 0 : use->fd == -1);
  CHECK(found.holders[0].process.start_time > 0);
  end(who);
}

static void test_each_kind_of_use(void) {
  put(L"file");
  put_library(L"library.dll");
  put_folder(L"dir");
  check_one(L"read", L"file", 0, RSM_USE_OPEN, RSM_ACCESS_READ);
  find(L"file");
  CHECK_INT(found.count, 0);
  check_one(L"write", L"file", 0, RSM_USE_OPEN, RSM_ACCESS_WRITE);
  check_one(L"both", L"file", 0, RSM_USE_OPEN, RSM_ACCESS_READ | RSM_ACCESS_WRITE);
  check_one(L"alone", L"file", 0, RSM_USE_OPEN, RSM_ACCESS_READ);
  check_one(L"attributes", L"file", 0, RSM_USE_OPEN, 0);
  check_one(L"map", L"file", 0, RSM_USE_MAP, RSM_ACCESS_READ);
  check_one(L"map", L"file", 1, RSM_USE_MAP, RSM_ACCESS_READ | RSM_ACCESS_WRITE);
  check_one(L"section", L"file", 0, RSM_USE_MAP, RSM_ACCESS_READ);
  check_one(L"section", L"file", 1, RSM_USE_MAP, RSM_ACCESS_READ | RSM_ACCESS_WRITE);
  check_one(L"load", L"library.dll", 0, RSM_USE_MAP, RSM_ACCESS_READ);
  check_one(L"read", L"dir", 0, RSM_USE_OPEN, RSM_ACCESS_READ);
}

/* What another process has mapped at the same address, too, is not asked for everything: a file in it is found still.
 */
static void test_a_view_among_those_of_another_file(void) {
  child who[8];
  const unsigned whole = RSM_COUNT(who) / 2;
  put_large(L"table", 3 * VIEW_SIZE);
  put_large(L"file", 3 * VIEW_SIZE);
  for (unsigned size = 1; size <= 3; size++) {
    for (unsigned i = 0; i < RSM_COUNT(who); i++) who[i] = start(L"views", win(L""), i < whole ? size : 0);
    find(L"file");
    CHECK_INT(found.count, whole);
    for (unsigned i = whole; i < RSM_COUNT(who); i++) only_use(who[i], RSM_USE_MAP, in(L"file"));
    find(L"table");
    CHECK_INT(found.count, RSM_COUNT(who));
    for (unsigned i = 0; i < RSM_COUNT(who); i++) end(who[i]);
  }
}

/* The same table, mapped for reading by some and for writing by others. */
static void test_views_of_one_file_for_reading_and_writing(void) {
  child who[4];
  put(L"file");
  for (unsigned i = 0; i < RSM_COUNT(who); i++) who[i] = start(L"map", win(L"file"), i % 2);
  find(L"file");
  CHECK_INT(found.count, RSM_COUNT(who));
  for (unsigned i = 0; i < RSM_COUNT(who); i++) {
    const rsm_use *use = only_use(who[i], RSM_USE_MAP, in(L"file"));
    CHECK_INT(use->access, i % 2 ? RSM_ACCESS_READ | RSM_ACCESS_WRITE : RSM_ACCESS_READ);
  }
  for (unsigned i = 0; i < RSM_COUNT(who); i++) end(who[i]);
}

static void test_working_directory(void) {
  put_folder(L"work");
  put_folder(L"work\\inner");
  child who = start(L"cwd", win(L"work\\inner") + 4, 0);
  find(L"work\\inner");
  const rsm_use *use = only_use(who, RSM_USE_CWD, in(L"work\\inner"));
  CHECK(use->access == 0 && use->fd == -1);
  find(L"work");
  only_use(who, RSM_USE_CWD, in(L"work\\inner"));
  end(who);
}

static void test_running_program(void) {
  put_program(L"program.exe");
  child who = start_program(win(L"program.exe") + 4, L"nothing", L"", 0);
  find(L"program.exe");
  CHECK_INT(found.count, 1);
  const rsm_use *use = only_use(who, RSM_USE_EXEC, in(L"program.exe"));
  CHECK(use->access == RSM_ACCESS_READ && use->fd == -1 && !use->deleted);
  end(who);
}

static void test_our_own_process_is_found_and_our_scan_is_not(void) {
  put(L"own");
  find(L"own");
  CHECK_INT(found.count, 0);
  find(L"");
  CHECK_INT(found.count, 0);
  HANDLE file = CreateFileW(win(L"own"), GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  const child self = {.pid = GetCurrentProcessId()};
  find(L"own");
  CHECK_INT(only_use(self, RSM_USE_OPEN, in(L"own"))->fd, (intptr_t)file);
  CloseHandle(file);
}

static bool stop_listing;

static DWORD WINAPI list_for_ever(void *path) {
  rsm__lookup *other;
  CHECK(rsm__lookup_new(5000, &other, NULL) == RSM_OK);
  while (!__atomic_load_n(&stop_listing, __ATOMIC_RELAXED)) {
    RSM_CLEAN_ARENA rsm__arena memory = {0};
    rsm__holders result;
    const rsm__target target = {.path = path};
    CHECK(rsm__holders_find(&target, 1, other, NULL, &memory, &result, NULL) == RSM_OK);
  }
  rsm__lookup_free(other);
  return 0;
}

/* Two listings in one process, side by side: neither takes the other's questions for uses. */
static void test_listings_do_not_see_each_other(void) {
  put(L"shared");
  child who = start(L"read", win(L"shared"), 0);
  HANDLE thread = CreateThread(NULL, 0, list_for_ever, (void *)(uintptr_t)in(L"shared"), 0, NULL);
  CHECK(thread);
  for (int i = 0; i < 6; i++) {
    find(L"shared");
    CHECK_INT(found.count, 1);
    only_use(who, RSM_USE_OPEN, in(L"shared"));
  }
  __atomic_store_n(&stop_listing, true, __ATOMIC_RELAXED);
  CHECK_INT(WaitForSingleObject(thread, HOLDING_LIMIT_MS), WAIT_OBJECT_0);
  CloseHandle(thread);
  end(who);
}

static void test_names(void) {
  static const wchar_t *const names[] = {L"a b", L"gr\x00fc\x00df", L"\x65e5\x672c", L"\xd83d\xde00", L"semi;colon"};
  for (size_t i = 0; i < RSM_COUNT(names); i++) {
    put(names[i]);
    check_one(L"read", names[i], 0, RSM_USE_OPEN, RSM_ACCESS_READ);
  }
  check_one(L"map", names[1], 0, RSM_USE_MAP, RSM_ACCESS_READ);
}

static void test_a_lone_surrogate(void) {
  const wchar_t name[] = {L'x', 0xD800, L'y', 0};
  HANDLE file = CreateFileW(win(name), GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
  WIN32_FIND_DATAW entry;
  HANDLE search = file == INVALID_HANDLE_VALUE ? file : FindFirstFileW(win(L"x*y"), &entry);
  bool kept = search != INVALID_HANDLE_VALUE && wcscmp(entry.cFileName, name) == 0;
  if (search != INVALID_HANDLE_VALUE) FindClose(search);
  if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
  if (!kept) {
    printf("skipped: a lone surrogate (this file system has no such names)\n");
    return;
  }
  check_one(L"read", name, 0, RSM_USE_OPEN, RSM_ACCESS_READ);
}

static void test_long_paths(void) {
  wchar_t path[HOLDING_PATH] = L"long";
  put_folder(path);
  for (int i = 0; i < 6; i++) {
    wcscat(path, L"\\0123456789012345678901234567890123456789012345678901234567890123456789");
    put_folder(path);
  }
  wcscat(path, L"\\file");
  CHECK(wcslen(win(path)) > 300);
  put(path);
  check_one(L"read", path, 0, RSM_USE_OPEN, RSM_ACCESS_READ);
  check_one(L"map", path, 0, RSM_USE_MAP, RSM_ACCESS_READ);
  child who = start(L"read", win(path), 0);
  find(L"long");
  CHECK_TEXT(only_use(who, RSM_USE_OPEN, in(path))->resource, in(L"long"));
  end(who);
}

static void test_other_names_of_the_same_file(void) {
  put(L"One.txt");
  put_library(L"one.dll");
  CHECK(CreateHardLinkW(win(L"other"), win(L"One.txt"), NULL));
  CHECK(CreateHardLinkW(win(L"other.dll"), win(L"one.dll"), NULL));
  child a = start(L"read", win(L"other"), 0), b = start(L"map", win(L"other"), 0);
  child c = start(L"load", win(L"other.dll"), 0);
  find(L"ONE.TXT");
  CHECK_INT(found.count, 2);
  only_use(a, RSM_USE_OPEN, in(L"ONE.TXT"));
  only_use(b, RSM_USE_MAP, in(L"ONE.TXT"));
  find(L"one.dll");
  only_use(c, RSM_USE_MAP, in(L"one.dll"));
  end(a);
  end(b);
  end(c);
}

static void test_deleted_while_open(void) {
  put(L"pending");
  child who = start(L"read", win(L"pending"), 0);
  CHECK(DeleteFileW(win(L"pending")));
  find(L"pending");
  const rsm_use *use = only_use(who, RSM_USE_OPEN, in(L"pending"));
  bool there = GetFileAttributesW(win(L"pending")) != INVALID_FILE_ATTRIBUTES;
  CHECK(use->deleted || there); /* Wine keeps the name until the last handle is closed, and tells nobody */
  CHECK(!unreadable_process(who) && !unreadable_path(in(L"pending")));
  end(who);
}

/* The name is free, or another file's, while somebody still uses what had it. */
static void test_removed_while_used(void) {
  put(L"old");
  put(L"mapped");
  child a = start(L"both", win(L"old"), 0), b = start(L"map", win(L"mapped"), 1);
  if (!remove_below(win(L"old")) || !remove_below(win(L"mapped"))) {
    printf("skipped: removing what is open (Windows refuses it)\n");
    return;
  }
  find(L"old");
  CHECK(only_use(a, RSM_USE_OPEN, in(L"old"))->deleted);
  find(L"mapped");
  const rsm_use *use = only_use(b, RSM_USE_MAP, in(L"mapped"));
  CHECK(use->deleted && use->access == (RSM_ACCESS_READ | RSM_ACCESS_WRITE));
  put(L"old");
  find(L"old");
  CHECK_INT(found.count, 1);
  CHECK(only_use(a, RSM_USE_OPEN, in(L"old"))->deleted);
  end(a);
  end(b);
}

static void test_renamed_while_open(void) {
  put(L"before");
  child who = start(L"read", win(L"before"), 0);
  CHECK(MoveFileW(win(L"before"), win(L"after")));
  find(L"after");
  only_use(who, RSM_USE_OPEN, in(L"after"));
  find(L"before");
  CHECK_INT(found.count, 0);
  put(L"before"); /* another one */
  find(L"before");
  CHECK_INT(found.count, 0);
  find_real(in(L"before"), in(L"after")); /* what was registered lies there now */
  only_use(who, RSM_USE_OPEN, in(L"before"));
  end(who);
}

static void test_a_directory_counts_with_its_tree(void) {
  put_folder(L"tree");
  put_folder(L"tree\\sub");
  put_folder(L"tree\\sub\\empty");
  put_folder(L"treex");
  put(L"tree\\sub\\file");
  put(L"tree\\top");
  put(L"treex\\file");
  CHECK(CreateHardLinkW(win(L"outside"), win(L"tree\\sub\\file"), NULL));
  bool linked = put_link(L"tree\\link", L"treex");
  child a = start(L"read", win(L"outside"), 0), b = start(L"cwd", win(L"tree\\sub\\empty") + 4, 0);
  child c = start(L"map", win(L"tree\\top"), 0), d = start(L"read", win(L"treex\\file"), 0);
  if (!linked) printf("(no link: not permitted here)\n");
  find(L"tree");
  CHECK_INT(found.count, 3);
  CHECK_TEXT(only_use(a, RSM_USE_OPEN, in(L"tree\\sub\\file"))->resource, in(L"tree"));
  only_use(b, RSM_USE_CWD, in(L"tree\\sub\\empty"));
  only_use(c, RSM_USE_MAP, in(L"tree\\top"));
  CHECK(!holder_of(d));
  end(a);
  end(b);
  end(c);
  end(d);
}

static void test_through_a_link(void) {
  put_folder(L"v1");
  put_folder(L"v2");
  put(L"v1\\file");
  put(L"v2\\file");
  if (!put_link(L"current", L"v1")) {
    printf("skipped: a link (not permitted here)\n");
    return;
  }
  child who = start(L"read", win(L"v1\\file"), 0), other = start(L"read", win(L"v2\\file"), 0);
  find(L"current\\file");
  CHECK_INT(found.count, 1);
  CHECK_TEXT(only_use(who, RSM_USE_OPEN, in(L"current\\file"))->resource, in(L"current\\file"));
  find(L"current");
  CHECK_INT(found.count, 1);
  only_use(who, RSM_USE_OPEN, in(L"current\\file"));
  find_real(in(L"current\\file"), in(L"v2\\file")); /* it led there when it was registered */
  CHECK_INT(found.count, 2);
  end(who);
  end(other);
}

static void test_missing_files_have_no_holders(void) {
  find(L"missing\\deep\\er");
  CHECK(found.count == 0);
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find(NULL, 0, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  CHECK(found.count == 0 && found.complete);
  find_real("\\\\.\\nul", NULL);
  CHECK(found.count == 0);
}

static void test_a_process_that_may_not_be_opened(void) {
  put(L"file");
  child who = start(L"shut", L"", 0);
  find(L"file");
  const rsm_unreadable *entry = unreadable_process(who);
  if (!entry && !rsm__under_wine()) {
    printf("skipped: an administrator looks into everybody\n");
    end(who);
    return;
  }
  CHECK(!found.complete);
  CHECK(entry && entry->process.start_time > 0 && strstr(entry->name, ".exe"));
  CHECK(strncmp(entry->reason, "open handles, mappings, program: ", 33) == 0);
  end(who);
  find(L"file");
  CHECK(!unreadable_process(who));
}

/* As every drive of some servers and virtual machines: there the names have to tell files apart. */
static void test_a_volume_that_numbers_no_files(void) {
  put(L"file");
  put(L"another");
  put_folder(L"tree");
  put(L"tree\\inside");
  child a = start(L"read", win(L"file"), 0), b = start(L"map", win(L"file"), 0),
        c = start(L"read", win(L"tree\\inside"), 0);
  rsm__file_hook_no_numbers = true;
  find(L"file");
  CHECK_INT(found.count, 2);
  CHECK(holder_of(a) && holder_of(b));
  find(L"another");
  CHECK_INT(found.count, 0);
  find(L"tree");
  only_use(c, RSM_USE_OPEN, in(L"tree\\inside"));
  rsm__file_hook_no_numbers = false;
  end(a);
  end(b);
  end(c);
}

static void test_a_shadow_copy_is_not_the_file(void) {
  static const wchar_t copy[] = L"\\Device\\HarddiskVolumeShadowCopy12\\file",
                       disk[] = L"\\Device\\HarddiskVolume12\\file";
  CHECK(rsm__name_in_snapshot(copy, wcslen(copy)));
  CHECK(!rsm__name_in_snapshot(disk, wcslen(disk)));
}

/* Whoever looks into it is taken for a thief. */
static void test_who_keeps_passwords_is_left_alone(void) {
  put(L"file");
  put_program(L"LSASS.exe");
  child who = start_program(win(L"LSASS.exe"), L"both", win(L"file"), 0);
  find(L"file");
  CHECK(found.count == 0 && !found.complete);
  const rsm_unreadable *entry = unreadable_process(who);
  CHECK(entry && strstr(entry->reason, "passwords"));
  find(L"LSASS.exe"); /* what it runs can be asked of anybody */
  only_use(who, RSM_USE_EXEC, in(L"LSASS.exe"));
  end(who);
}

/* On Windows asking what the pipe is waits for as long as its reader does; Wine answers at once. */
static void test_a_pipe_that_somebody_waits_on(void) {
  put(L"file");
  child who = start(L"pipe", win(L"file"), 0);
  uint64_t began = rsm__clock_ms();
  find(L"file");
  only_use(who, RSM_USE_OPEN, in(L"file"));
  CHECK(rsm__clock_ms() - began < 8000);
  began = rsm__clock_ms();
  find(L"file"); /* if it hangs, it is not asked a second time */
  only_use(who, RSM_USE_OPEN, in(L"file"));
  CHECK(rsm__clock_ms() - began < 3000);
  end(who);
}

/* In Wine a stopped process cannot be asked for its mappings; its handles can, and everybody else. */
static void test_a_process_that_does_not_answer(void) {
  put(L"file");
  child frozen = start(L"read", win(L"file"), 0), other = start(L"map", win(L"file"), 0);
  if (!freeze(frozen, true)) {
    printf("skipped: a process that does not answer (Windows' always do)\n");
    end(frozen);
    end(other);
    return;
  }
  rsm__lookup_free(lookup);
  CHECK(rsm__lookup_new(1500, &lookup, NULL) == RSM_OK);
  find(L"file");
  only_use(frozen, RSM_USE_OPEN, in(L"file"));
  only_use(other, RSM_USE_MAP, in(L"file"));
  const rsm_unreadable *entry = unreadable_process(frozen);
  CHECK(!found.complete && entry);
  CHECK_TEXT(entry->reason, "its mappings did not answer in time");
  uint64_t began = rsm__clock_ms();
  find(L"file"); /* a thread hangs there already: nobody else is sent */
  CHECK(unreadable_process(frozen));
  only_use(frozen, RSM_USE_OPEN, in(L"file"));
  printf("(the second listing took %u ms)\n", (unsigned)(rsm__clock_ms() - began));
  CHECK(freeze(frozen, false));
  uint64_t until = rsm__clock_ms() + HOLDING_LIMIT_MS; /* for the thread that hung to come back */
  do find(L"file");
  while (unreadable_process(frozen) && rsm__clock_ms() < until);
  CHECK(!unreadable_process(frozen));
  end(frozen);
  end(other);
}

static void test_some_processes_only(void) {
  put(L"file");
  child a = start(L"read", win(L"file"), 0), b = start(L"read", win(L"file"), 0);
  find(L"file");
  CHECK_INT(found.count, 2);
  const rsm_process both[] = {holder_of(a)->process, {.pid = b.pid, .start_time = 1}};
  const rsm__target target = {.path = in(L"file")};
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find_among(both, 2, &target, 1, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  CHECK_INT(found.count, 1);
  only_use(a, RSM_USE_OPEN, in(L"file"));
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find_among(both, 0, &target, 1, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  CHECK_INT(found.count, 0);
  end(a);
  end(b);
}

static void test_many_files(void) {
  enum { FILES = 10000 };
  static rsm__target targets[FILES];
  wchar_t name[64];
  put_folder(L"many");
  for (int i = 0; i < FILES; i++) {
    swprintf(name, 64, L"many\\file-%d", i);
    if (i % 10 == 0) put(name);
    targets[i].path = rsm__narrow_new(win(name) + 4, wcslen(win(name)) - 4);
    CHECK(targets[i].path);
  }
  child a = start(L"read", win(L"many\\file-20"), 0), b = start(L"map", win(L"many\\file-9990"), 0);
  find(L"many\\file-20");
  uint64_t began = rsm__clock_ms();
  find(L"many\\file-20");
  uint64_t one = rsm__clock_ms() - began;
  rsm__arena_done(&arena);
  began = rsm__clock_ms();
  CHECK(rsm__holders_find(targets, FILES, lookup, NULL, &arena, &found, NULL) == RSM_OK);
  uint64_t many = rsm__clock_ms() - began;
  printf("one file: %u ms, 10000: %u ms\n", (unsigned)one, (unsigned)many);
  CHECK_INT(found.count, 2);
  only_use(a, RSM_USE_OPEN, in(L"many\\file-20"));
  only_use(b, RSM_USE_MAP, in(L"many\\file-9990"));
  for (int i = 0; i < FILES; i++) rsm__free((void *)(uintptr_t)targets[i].path);
  end(a);
  end(b);
}

static void cancel_at_once(rsm__task *task, void *path) {
  RSM_CLEAN_ARENA rsm__arena memory = {0};
  rsm__holders result;
  const rsm__target target = {.path = path};
  while (!rsm__task_cancelled(task)) Sleep(1);
  CHECK_INT(rsm__holders_find(&target, 1, lookup, task, &memory, &result, NULL), RSM_CANCELLED);
}

static void test_cancel(void) {
  rsm__task *task;
  bool yielded;
  put(L"file");
  CHECK(rsm__task_new(cancel_at_once, (void *)(uintptr_t)in(L"file"), &task, NULL) == RSM_OK);
  CHECK(!rsm__task_step(task, 20, &yielded));
  rsm__task_cancel(task);
  CHECK(rsm__task_step(task, HOLDING_LIMIT_MS, &yielded));
  rsm__task_free(task);
}

static void test_want_of_memory(void) {
  put_folder(L"tree");
  put(L"tree\\file");
  put(L"file");
  child a = start(L"read", win(L"tree\\file"), 0), b = start(L"map", win(L"file"), 0);
  const rsm__target targets[] = {{.path = in(L"tree")}, {.path = in(L"file")}, {.path = in(L"gone\\x")}};
  find(L"");
  const rsm_process both[] = {holder_of(a)->process, holder_of(b)->process}; /* who else there is costs much in Wine */
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status == RSM_OUT_OF_MEMORY; n += n < 60 ? 1 : n / 6) {
    rsm__lookup *own = NULL;
    RSM_CLEAN_ARENA rsm__arena memory = {0};
    rsm__holders result = {.count = 77};
    rsm_error error = {0};
    CHECK(rsm__lookup_new(5000, &own, NULL) == RSM_OK);
    long before = rsm__alloc_live();
    rsm__alloc_fail_at(n, 1);
    status = rsm__holders_find_among(both, 2, targets, RSM_COUNT(targets), own, NULL, &memory, &result, &error);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || (status == RSM_OUT_OF_MEMORY && error.status == status && result.count == 77));
    if (status == RSM_OK) CHECK_INT(result.count, 2);
    rsm__arena_done(&memory);
    CHECK_INT(rsm__alloc_live(), before);
    rsm__lookup_free(own);
  }
  CHECK_INT(status, RSM_OK);
  end(a);
  end(b);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_each_kind_of_use),
      CHECK_TEST(test_a_view_among_those_of_another_file),
      CHECK_TEST(test_views_of_one_file_for_reading_and_writing),
      CHECK_TEST(test_working_directory),
      CHECK_TEST(test_running_program),
      CHECK_TEST(test_our_own_process_is_found_and_our_scan_is_not),
      CHECK_TEST(test_listings_do_not_see_each_other),
      CHECK_TEST(test_names),
      CHECK_TEST(test_a_lone_surrogate),
      CHECK_TEST(test_long_paths),
      CHECK_TEST(test_other_names_of_the_same_file),
      CHECK_TEST(test_deleted_while_open),
      CHECK_TEST(test_removed_while_used),
      CHECK_TEST(test_renamed_while_open),
      CHECK_TEST(test_a_directory_counts_with_its_tree),
      CHECK_TEST(test_through_a_link),
      CHECK_TEST(test_missing_files_have_no_holders),
      CHECK_TEST(test_a_process_that_may_not_be_opened),
      CHECK_TEST(test_a_volume_that_numbers_no_files),
      CHECK_TEST(test_a_shadow_copy_is_not_the_file),
      CHECK_TEST(test_who_keeps_passwords_is_left_alone),
      CHECK_TEST(test_a_pipe_that_somebody_waits_on),
      CHECK_TEST(test_a_process_that_does_not_answer),
      CHECK_TEST(test_some_processes_only),
      CHECK_TEST(test_many_files),
      CHECK_TEST(test_cancel),
      CHECK_TEST(test_want_of_memory),
  };
  be_child();
  begin();
  int result = 0;
  for (size_t i = 0; i < RSM_COUNT(tests) && result == 0; i++) {
    result = check_run(&tests[i], 1, argc, argv);
    clean();
  }
  finish();
  return result;
}
