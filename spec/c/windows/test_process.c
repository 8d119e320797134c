/* test_process.c: process handles and what is known of a process. SPDX-License-Identifier: MIT */
#include "victims.h"

#include <stdatomic.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/user.h"
#include "os/wait.h"
#include "os/windows/process_handle.h"
#include "os/windows/session_core.h"
#include "os/windows/wine.h"

static const char *base_name(const char *path) {
  const char *slash = path ? strrchr(path, '\\') : NULL;
  return slash ? slash + 1 : path;
}

static void facts_of(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts) {
  rsm_error error = {0};
  rsm_status status = rsm__process_facts_get(process, arena, ret_facts, &error);
  if (status != RSM_OK) fprintf(stderr, "%s %s %s\n", error.call, error.detail, error.os_text);
  CHECK_INT(status, RSM_OK);
}

/* ---- The handle -------------------------------------------------------------------------------------------------- */

static void test_self(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const rsm_process *ancestors;
  size_t count;
  rsm__process *self = NULL;
  CHECK_INT(rsm__process_open(&(rsm_process){.pid = GetCurrentProcessId()}, &self, NULL), RSM_OK);
  CHECK(rsm__process_alive(self));
  CHECK(rsm__process_id(self)->start_time != 0);
  CHECK_INT(rsm__process_carriers(&arena, &ancestors, &count, NULL), RSM_OK);
  CHECK(count >= 1 && rsm_process_equal(&ancestors[0], rsm__process_id(self)));
  rsm__process_facts facts;
  facts_of(self, &arena, &facts);
  CHECK_TEXT(base_name(facts.exe), "test_process.exe");
  CHECK_TEXT(facts.name, "test_process.exe");
  CHECK(facts.command_count >= 1 && strstr(facts.command[0], "test_process"));
  CHECK_INT(facts.uid, rsm__user_current());
  CHECK_TEXT(facts.user, rsm__user_name(rsm__user_current(), &arena));
  CHECK(facts.same_namespaces && !facts.kernel_thread && !facts.system_core && !facts.session_core);
  CHECK(facts.started_at > rsm__clock_unix() - 600 && facts.started_at <= rsm__clock_unix());
  CHECK(facts.has_terminal && facts.windows == RSM__WINDOW_NONE && !facts.desktop_shell);
  CHECK(facts.logon_session && facts.logon_session[0]);
  rsm__process_close(self);
}

static void test_nobody(void) {
  rsm__process *process = NULL;
  rsm_error error;
  CHECK_INT(rsm__process_open(&(rsm_process){.pid = 0}, &process, &error), RSM_NOT_FOUND);
  CHECK_INT(rsm__process_open(&(rsm_process){.pid = 0x7ffffff0}, &process, &error), RSM_NOT_FOUND);
  /* The system would take this number for ours. */
  CHECK_INT(rsm__process_open(&(rsm_process){.pid = GetCurrentProcessId() + 1}, &process, &error), RSM_NOT_FOUND);
  CHECK_INT(rsm__process_open(&(rsm_process){.pid = GetCurrentProcessId(), .start_time = 1}, &process, &error),
            RSM_NOT_FOUND);
  CHECK(process == NULL && strstr(error.detail, "no such process"));
}

static void test_one_that_ends(void) {
  victim v = victim_run(L"holder.exe", L"", 0);
  rsm__process *process = victim_open(&v);
  rsm_process id = *rsm__process_id(process);
  CHECK(rsm__process_alive(process));
  CHECK_INT(rsm__process_permit(process, NULL), RSM_OK);
  CHECK_INT(rsm__wait_any(&process, 1, rsm__clock_ms() + 50, NULL, NULL), 0);
  CHECK_INT(rsm__process_kill(process, NULL), RSM_OK);
  CHECK_INT(rsm__wait_any(&process, 1, rsm__clock_ms() + 5000, NULL, NULL), 1);
  CHECK(!rsm__process_alive(process));
  CHECK_INT(rsm__process_permit(process, NULL), RSM_NOT_FOUND);
  CHECK_INT(rsm__process_kill(process, NULL), RSM_NOT_FOUND);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_NOT_FOUND);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  rsm_process parent;
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_NOT_FOUND);
  CHECK_INT(rsm__process_parent(process, &parent, NULL), RSM_NOT_FOUND);
  /* Our handles still hold its number, and it is not taken for alive by it. */
  rsm__process *again = NULL;
  CHECK_INT(rsm__process_open(&id, &again, NULL), RSM_NOT_FOUND);
  rsm__process_close(process);
  victim_end(&v);
}

static void test_parents(void) {
  victim v = victim_run(L"holder.exe", L"", 0);
  rsm__process *process = victim_open(&v);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  rsm_process parent = {0};
  CHECK_INT(rsm__process_parent(process, &parent, NULL), RSM_OK);
  CHECK_INT(parent.pid, GetCurrentProcessId());
  facts_of(process, &arena, &facts);
  CHECK(rsm_process_equal(&facts.parent, &parent));
  rsm__process_close(process);
  victim_end(&v);
}

/* ---- One that nobody may open ------------------------------------------------------------------------------------ */

static void test_protected(void) {
  victim v = victim_run(L"holder.exe", L"protect", 0);
  rsm__process *process = victim_open(&v);
  CHECK(!rsm__process_can_query(process));
  CHECK(rsm__process_id(process)->start_time != 0);
  CHECK(rsm__process_alive(process));
  rsm_error error;
  CHECK_INT(rsm__process_permit(process, &error), RSM_ACCESS_DENIED);
  CHECK(error.call && error.os_code == ERROR_ACCESS_DENIED);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_ACCESS_DENIED);
  CHECK_INT(rsm__process_kill(process, NULL), RSM_ACCESS_DENIED);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  facts_of(process, &arena, &facts);
  CHECK_TEXT(facts.name, "holder.exe");
  CHECK(!facts.exe && !facts.user && facts.command_count == 0 && !facts.session_core);
  CHECK(facts.same_namespaces && facts.logon_session);
  CHECK_INT(facts.parent.pid, GetCurrentProcessId());
  rsm_process id = *rsm__process_id(process);
  rsm__process *again = NULL;
  CHECK_INT(rsm__process_open(&id, &again, NULL), RSM_OK);
  TerminateProcess(v.process, 9);
  CHECK_INT(rsm__wait_any(&process, 1, rsm__clock_ms() + 5000, NULL, NULL), 1);
  CHECK_INT(rsm__process_permit(process, NULL), RSM_NOT_FOUND);
  rsm__process_close(process);
  rsm__process_close(again);
  victim_end(&v);
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

static void test_arguments(void) {
  victim v = victim_run(L"holder.exe", L"name \"a \\\"b\\\" \x00e9\x20ac\"", 0);
  rsm__process *process = victim_open(&v);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  facts_of(process, &arena, &facts);
  CHECK_INT(facts.command_count, 3);
  CHECK_TEXT(base_name(facts.command[0]), "holder.exe");
  CHECK_TEXT(facts.command[1], "name");
  CHECK_TEXT(facts.command[2], "a \"b\" \xC3\xA9\xE2\x82\xAC");
  CHECK_TEXT(base_name(facts.exe), "holder.exe");
  rsm__process_close(process);
  victim_end(&v);
}

static void expect_kind(const wchar_t *program, const wchar_t *orders, rsm__window_kind windows, bool console) {
  victim v = victim_run(program, orders, CREATE_NEW_CONSOLE);
  rsm__process *process = victim_open(&v);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  facts_of(process, &arena, &facts);
  CHECK_INT(facts.windows, windows);
  CHECK_INT(facts.has_terminal, console);
  rsm__process_close(process);
  victim_end(&v);
}

static void test_kinds(void) {
  expect_kind(L"holder.exe", L"", RSM__WINDOW_NONE, true);
  expect_kind(L"holder.exe", L"window agree", RSM__WINDOW_MAIN, true);
  expect_kind(L"holder_windowed.exe", L"", RSM__WINDOW_NONE, false);
  expect_kind(L"holder_windowed.exe", L"window agree", RSM__WINDOW_MAIN, false);
}

/* Of Wine's own programs those that carry all the others are told, and nobody else. */
static void test_wines_own(void) {
  if (!rsm__under_wine()) return;
  unsigned core = 0, others = 0;
  for (uint32_t pid = 8; pid < 4096; pid += 4) {
    rsm__process *process = NULL;
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    rsm__process_facts facts;
    if (rsm__process_open(&(rsm_process){.pid = pid}, &process, NULL) != RSM_OK) continue;
    if (rsm__process_facts_get(process, &arena, &facts, NULL) == RSM_OK) {
      printf("  %s: %s\n", facts.exe, facts.session_core ? facts.session_core : "-");
      CHECK_INT(facts.system_core, facts.session_core != NULL);
      CHECK(!facts.session_core || strstr(facts.exe, "\\windows\\") || strstr(facts.exe, "\\Windows\\"));
      if (strcmp(base_name(facts.exe), "services.exe") == 0) CHECK(facts.session_core);
      facts.session_core ? core++ : others++;
    }
    rsm__process_close(process);
  }
  CHECK(core >= 2 && others >= 1);
}

static void test_session_core(void) {
  rsm__core_question question = {.pid = 800, .name = "LSASS.exe", .is_systems = true};
  CHECK_TEXT(rsm__session_core(&question), "the security authority");
  question.is_systems = false; /* anybody may call his program so */
  CHECK(!rsm__session_core(&question));
  question.is_marked = true;
  CHECK(strstr(rsm__session_core(&question), "critical"));
  CHECK_TEXT(rsm__session_core(&(rsm__core_question){.pid = 4, .name = "System"}), "the kernel");
  const char *desktop[] = {"explorer.exe", "/desktop"};
  question =
      (rsm__core_question){.pid = 800, .name = "explorer.exe", .is_systems = true, .args = desktop, .arg_count = 2};
  CHECK(!rsm__session_core(&question));
  question.under_wine = true;
  CHECK_TEXT(rsm__session_core(&question), "Wine's desktop");
  question.arg_count = 1;
  CHECK(!rsm__session_core(&question));
}

static void test_here(void) {
  rsm__here one, two;
  CHECK_INT(rsm__process_here(&one, NULL), RSM_OK);
  Sleep(50);
  CHECK_INT(rsm__process_here(&two, NULL), RSM_OK);
  CHECK_TEXT(one.boot, two.boot);
  CHECK(strlen(one.boot) == 16 && strcmp(one.boot, "0000000000000000") != 0);
  printf("  %s\n", one.boot);
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

enum { MANY = 70 };

static void cancel_soon(rsm__task *task, void *argument) {
  (void)argument;
  while (!rsm__task_cancelled(task)) rsm__wait_any(NULL, 0, UINT64_MAX, task, NULL);
}

static void test_wait_for_many(void) {
  rsm__process *all[MANY] = {0};
  bool ended[MANY] = {false};
  victim kept = victim_run(L"holder.exe", L"", 0), goes = victim_run(L"holder.exe", L"", 0);
  for (size_t i = 1; i < MANY; i++) all[i] = victim_open(i == 40 ? &goes : &kept);
  uint64_t begin = rsm__clock_ms();
  CHECK_INT(rsm__wait_any(all, MANY, begin + 100, NULL, ended), 0);
  CHECK(rsm__clock_ms() - begin >= 90 && rsm__clock_ms() - begin < 2000);
  TerminateProcess(goes.process, 9);
  CHECK_INT(rsm__wait_any(all, MANY, begin + 5000, NULL, ended), 1);
  for (size_t i = 0; i < MANY; i++) CHECK_INT(ended[i], i == 40);
  for (size_t i = 0; i < MANY; i++) rsm__process_close(all[i]);
  victim_end(&kept);
  victim_end(&goes);
}

static void test_wait_is_cancelled(void) {
  rsm__task *task = NULL;
  CHECK_INT(rsm__task_new(cancel_soon, NULL, &task, NULL), RSM_OK);
  CHECK(!rsm__task_step(task, 50, NULL));
  rsm__task_cancel(task);
  CHECK(rsm__task_step(task, 5000, NULL));
  rsm__task_free(task);
}

static void test_no_memory(void) {
  victim v = victim_run(L"holder.exe", L"name x", 0);
  rsm__process *process = victim_open(&v);
  rsm_status status = RSM_OUT_OF_MEMORY;
  unsigned long rungs = 0;
  for (unsigned long n = 1; status == RSM_OUT_OF_MEMORY; n++, rungs++) {
    rsm__arena arena = {0};
    rsm__process_facts facts = {0};
    rsm__alloc_fail_at(n, 0);
    status = rsm__process_facts_get(process, &arena, &facts, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || !facts.name);
    rsm__arena_done(&arena);
  }
  CHECK_INT(status, RSM_OK);
  CHECK(rungs > 3);
  rsm__process_close(process);
  victim_end(&v);
  CHECK_INT(rsm__alloc_live(), 0);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_self),      CHECK_TEST(test_nobody),        CHECK_TEST(test_one_that_ends),
      CHECK_TEST(test_parents),   CHECK_TEST(test_protected),     CHECK_TEST(test_arguments),
      CHECK_TEST(test_kinds),     CHECK_TEST(test_wines_own),     CHECK_TEST(test_session_core),
      CHECK_TEST(test_here),      CHECK_TEST(test_wait_for_many), CHECK_TEST(test_wait_is_cancelled),
      CHECK_TEST(test_no_memory),
  };
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
