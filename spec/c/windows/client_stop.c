/* client_stop.c: conformance of RmShutdown and RmCancelCurrentTask, by the numbers of src/dll/README.md.
 * SPDX-License-Identifier: MIT */
#include "client_victims.h"
#include "setting.h"

/* What the window's answer, or its silence, may take; waiting for it takes 30 s. */
enum { ANSWERED_MS = 20000 };

/* Forces, with that limit for as long as it takes. */
static DWORD force_within(DWORD session, setting limit, const wchar_t *milliseconds,
                          RM_WRITE_STATUS_CALLBACK callback) {
  setting_set(&limit, milliseconds);
  DWORD code = RmShutdown(session, RmForceShutdown, callback);
  setting_restore(&limit);
  return code;
}

/* ---- Shutdown ---- */

static void p01_restart_first_answers_776(void) {
  DWORD session = client_session(NULL);
  CHECK_INT(RmRestart(session, 0, NULL), CLIENT_OUT_OF_SEQUENCE);
  client_close(session);
}

static void p02_nobody_affected(void) {
  new_files(L"p02");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, see), 0);
  check_seen(100);
  CHECK_INT(RmRestart(session, 0, see), 0);
  check_seen(100);
  client_close(session);
  CHECK_INT(RmShutdown(client_session(NULL), 0, NULL), 0); /* with nothing registered */
  client_close(0);
}

static void p03_a_window_agrees(void) {
  new_files(L"p03");
  client_program victim = windowed(L" agree");
  DWORD session = session_on_file();
  CHECK_INT(status_of(session, &victim), RmStatusRunning);
  CHECK_INT(RmShutdown(session, 0, see), 0);
  check_seen(100);
  CHECK_INT(client_wait(&victim), 0); /* it went of its own accord */
  const char *text = client_read(note);
  since(since(text, "query 1\n"), "end 1 1\n");
  CHECK(!strstr(text, "query 0") && !strstr(strstr(text, "query 1") + 1, "query")); /* asked once */
  CHECK(client_is_free(file));
  CHECK_INT(status_of(session, &victim), RmStatusStopped);
  CHECK_INT(RmRestart(session, 0, see), 0);
  check_seen(100);
  CHECK(client_is_free(file)); /* it had not registered for restart */
  CHECK_INT(status_of(session, &victim), RmStatusStopped);
  client_close(session);
}

static void p04_a_veto(void) {
  new_files(L"p04");
  client_program victim = windowed(L" veto");
  DWORD session = session_on_file();
  DWORD began = GetTickCount();
  CHECK_INT(RmShutdown(session, 0, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK(GetTickCount() - began < ANSWERED_MS); /* who says no is not waited for */
  CHECK(client_runs(&victim));
  since(since(client_read(note), "query 1\n"), "end 0 1\n");
  CHECK_INT(status_of(session, &victim), RmStatusRunning | RmStatusErrorOnStop);
  CHECK_INT(RmRestart(session, 0, NULL), 0); /* is always called, and has nothing to do */
  client_close(session);
  client_end(&victim);
}

static void p05_a_veto_is_overruled(void) {
  new_files(L"p05");
  client_program victim = windowed(L" veto");
  DWORD session = session_on_file();
  CHECK_INT(force_within(session, setting_of_applications(), L"2000", see), 0);
  check_seen(100);
  CHECK(client_wait(&victim) != 0);
  since(client_read(note), "query 1\n"); /* asked all the same */
  CHECK(client_is_free(file));
  client_close(session);
}

static void p06_a_window_that_hangs(void) {
  new_files(L"p06");
  client_program victim = windowed(L" hang");
  DWORD session = session_on_file();
  DWORD began = GetTickCount();
  CHECK_INT(RmShutdown(session, 0, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK(GetTickCount() - began < ANSWERED_MS);
  CHECK(client_runs(&victim));
  began = GetTickCount();
  CHECK_INT(force_within(session, setting_of_applications(), L"3000", NULL), 0);
  CHECK(GetTickCount() - began < 20000); /* this machine's limit holds, not the usual 30 s */
  CHECK(client_wait(&victim) != 0);
  CHECK(client_is_free(file));
  client_close(session);
}

static void p07_only_registered(void) {
  client_program first = registered(L"p07", L"args"), second = windowed(L" agree");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, RmShutdownOnlyRegistered, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK_INT(RmShutdown(session, RmShutdownOnlyRegistered | RmForceShutdown, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK(client_runs(&first) && client_runs(&second) && !strstr(client_read(note), "query"));
  client_end(&second);
  CHECK_INT(RmShutdown(session, RmShutdownOnlyRegistered, NULL), 0);
  CHECK_INT(client_wait(&first), 0);
  client_close(session);
}

static void p08_a_console_program(void) {
  new_files(L"p08");
  client_program victim = console(L"");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&victim), 0);
  since(client_read(note), "term\n");
  CHECK(client_is_free(file));
  client_close(session);
}

static void p09_a_window_that_goes_late(void) {
  new_files(L"p09");
  client_program victim = windowed(L"-late 2");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&victim), 0);
  client_close(session);
}

static void p10_who_refuses_spares_all(void) {
  new_files(L"p10");
  wchar_t *note_of_refuser = client_path(L"p10-refuser"), *note_of_other = note;
  client_program agrees = windowed(L" agree");
  note = note_of_refuser;
  client_program refuses = windowed(L" veto");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, see), CLIENT_FAIL_SHUTDOWN);
  CHECK(seen_count > 0 && seen[seen_count - 1] < 100);
  seen_count = 0;
  CHECK(client_runs(&refuses) && client_runs(&agrees));
  since(client_read(note_of_refuser), "query 1\n");
  CHECK(!strstr(client_read(note_of_other), "end 1"));
  CHECK(status_of(session, &refuses) == (RmStatusRunning | RmStatusErrorOnStop));
  CHECK(status_of(session, &agrees) & RmStatusRunning);
  client_end(&refuses);
  CHECK_INT(RmShutdown(session, 0, NULL), 0); /* "retry" */
  CHECK_INT(client_wait(&agrees), 0);
  client_close(session);
}

/* Explorer: whoever has the desktop's window; false: somebody has it already. */
static bool start_shell(client_program *ret_shell) {
  if (GetShellWindow()) {
    printf("skipped: Explorer (this desktop has its own)\n");
    return false;
  }
  *ret_shell = windowless(L"look shell window agree");
  return true;
}

/* Up to there, or in all: NULL. */
static int count_of(const char *text, const char *word, const char *end) {
  int count = 0;
  while ((text = strstr(text, word)) && (!end || text < end)) text++, count++;
  return count;
}

/* Each program notes "term" when it ends, and "end 1 1" before if it has a window. */
static void check_order(bool has_shell) {
  const char *text = client_read(note), *stop = since(text, "stop\n");
  CHECK_INT(count_of(text, "term\n", stop), 2);
  CHECK_INT(count_of(text, "end 1 1\n", stop), 1);
  CHECK_INT(count_of(text, "term\n", NULL), has_shell ? 3 : 2);
}

static void p11_one_kind_after_the_other(void) {
  new_files(L"p11");
  client_program window = windowed(L" agree"), in_console = console(L""), shell;
  client_service served = service(L"rm-p11", L"");
  bool has_shell = start_shell(&shell);
  DWORD session = session_on_file();
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && (!has_shell || client_find(&list, &shell.id)->ApplicationType == RmExplorer));
  CHECK_INT(RmShutdown(session, 0, see), 0);
  check_seen(100);
  CHECK_INT(client_wait(&window) + client_wait(&in_console), 0);
  if (has_shell) CHECK_INT(client_wait(&shell), 0);
  CHECK(!client_service_runs(&served) && client_is_free(file));
  check_order(has_shell);
  CHECK_INT(RmRestart(session, 0, see), 0);
  check_seen(100);
  CHECK(client_service_runs(&served)); /* without having registered */
  since(since(client_read(note), "stop\n"), "start ");
  list = client_get_list(session);
  const RM_PROCESS_INFO *info = of_type(&list, RmService);
  CHECK(list.code == 0 && info);
  CHECK_INT(info->AppStatus, RmStatusRunning | RmStatusStopped | RmStatusRestarted);
  client_close(session);
  client_service_end(&served);
}

static void p12_what_depends_on_a_service(void) {
  new_files(L"p12");
  client_service below = client_service_start(L"rm-p12-below", NULL, note, L"");
  client_service above = client_service_start(L"rm-p12-above", L"rm-p12-below", note, L"slow 0.3");
  LPCWSTR name = below.name;
  DWORD session = client_session(NULL);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 0, NULL, 1, &name), 0);
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK(!client_service_runs(&below) && !client_service_runs(&above));
  CHECK_INT(RmRestart(session, 0, NULL), 0);
  CHECK(client_service_runs(&below) && client_service_runs(&above));
  const char *text = since(client_read(note), "stop\n"); /* of the one above: the other has not been told yet */
  const char *first = since(text, "start "), *second = since(first + 1, "start ");
  since(first, "rm-p12-below");
  since(second, "rm-p12-above");
  CHECK(strstr(first, "rm-p12-below") < second);
  client_close(session);
  client_service_end(&above);
  client_service_end(&below);
}

static void p13_a_filter_leaves_it_stopped(void) {
  new_files(L"p13");
  client_service served = service(L"rm-p13", L"");
  DWORD session = session_on_file();
  CHECK_INT(RmAddFilter(session, NULL, NULL, L"RM-P13", RmNoRestart), 0);
  client_list list = client_get_list(session);
  CHECK(list.count == 1 && list.infos->AppStatus == (RmStatusRunning | RmStatusRestartMasked));
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(RmRestart(session, 0, NULL), 0);
  CHECK(!client_service_runs(&served));
  list = client_get_list(session);
  CHECK(list.count == 1 && list.infos->AppStatus == (RmStatusStopped | RmStatusRestartMasked));
  client_close(session);
  client_service_end(&served);
}

static void p14_the_end_gives_up_what_is_stopped(void) {
  new_files(L"p14");
  client_service served = service(L"rm-p14", L"");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  client_close(session);
  CHECK(!client_service_runs(&served));
  client_service_end(&served);
}

/* ---- Cancelling ---- */

static void p15_cancel(void) {
  new_files(L"p15");
  client_program victim = windowed(L" deaf"); /* agrees, and stays: the wait for it is long */
  DWORD session = session_on_file(), began = GetTickCount();
  client_canceller canceller = {.session = session, .file = note, .words = "end 1 1\n"};
  client_cancel_begin(&canceller);
  CHECK_INT(RmShutdown(session, 0, NULL), ERROR_CANCELLED);
  client_cancel_end(&canceller);
  CHECK(GetTickCount() - began < ANSWERED_MS);
  CHECK(client_runs(&victim));
  client_end(&victim);
  CHECK_INT(RmCancelCurrentTask(session), 0); /* there is nothing to cancel, and the next one is none of its business */
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  client_close(session);
}

/* ---- Kinds ---- */

static void p16_who_cannot_be_asked(void) {
  new_files(L"p16");
  client_program victim = windowless(L"");
  DWORD session = session_on_file(), began = GetTickCount();
  CHECK_INT(RmShutdown(session, 0, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK(GetTickCount() - began < ANSWERED_MS);
  CHECK(client_runs(&victim));
  CHECK_INT(status_of(session, &victim), RmStatusRunning | RmStatusErrorOnStop);
  CHECK_INT(RmShutdown(session, RmForceShutdown, NULL), 0);
  CHECK(client_wait(&victim) != 0);
  client_close(session);
}

static void p17_a_window_that_is_not_shown(void) {
  new_files(L"p17");
  client_program victim = windowless(L"look hidden window agree");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&victim), 0);
  since(since(client_read(note), "query 1\n"), "end 1 1\n");
  client_close(session);
}

/* ---- Limits ---- */

static void p18_the_limit_of_services(void) {
  new_files(L"p18");
  client_service served = service(L"rm-p18", L"slow 60");
  DWORD session = session_on_file(), began = GetTickCount();
  CHECK_INT(force_within(session, setting_of_services(), L"1000", NULL), 0);
  CHECK(GetTickCount() - began < 15000); /* this machine's limit holds, not the usual 20 s */
  since(client_read(note), "stop\n");
  CHECK(!client_service_runs(&served) && client_is_free(file));
  client_close(session);
  client_service_end(&served);
}

/* ---- Reasons for a reboot ---- */

/* With an affected application that could be stopped beside it. */
static void check_that_it_spares_all(DWORD session, const client_program *other, RM_REBOOT_REASON reason) {
  client_list list = client_get_list(session);
  const RM_PROCESS_INFO *info = of_type(&list, RmCritical);
  CHECK(list.code == 0 && list.count == 2 && info && !info->bRestartable && client_find(&list, &other->id));
  CHECK(list.reasons & (DWORD)reason);
  CHECK_INT(RmShutdown(session, 0, NULL), CLIENT_NOACTION_REBOOT);
  CHECK_INT(RmShutdown(session, RmForceShutdown, NULL), CLIENT_NOACTION_REBOOT);
  CHECK(client_runs(other) && !strstr(client_read(note), "query") && !strstr(client_read(note), "stop"));
  client_close(session);
}

static void p19_a_critical_one_spares_all(void) {
  wchar_t program[MAX_PATH];
  LPCWSTR name = L"OpenVPN-rm-p19"; /* critical by its name */
  new_files(L"p19");
  client_program other = windowed(L" agree");
  DWORD session = session_on_file();
  CHECK(GetSystemDirectoryW(program, MAX_PATH - 20) > 0);
  client_register(session, wcscat(program, L"\\services.exe"));
  check_that_it_spares_all(session, &other, RmRebootReasonCriticalProcess);
  client_service served = client_service_start(name, NULL, note, L"");
  session = session_on_file();
  CHECK_INT(RmRegisterResources(session, 0, NULL, 0, NULL, 1, &name), 0);
  check_that_it_spares_all(session, &other, RmRebootReasonCriticalService);
  CHECK(client_service_runs(&served));
  client_service_end(&served);
  client_end(&other);
}

static void p20_some_stop_and_one_does_not(void) {
  new_files(L"p20");
  client_program agrees = windowed(L" agree"), stays = windowed(L" deaf");
  DWORD session = session_on_file(), began = GetTickCount();
  CHECK_INT(RmShutdown(session, 0, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK(GetTickCount() - began >= 25000 && GetTickCount() - began < 60000); /* the usual limit */
  CHECK_INT(client_wait(&agrees), 0);
  CHECK(client_runs(&stays));
  CHECK_INT(status_of(session, &agrees), RmStatusStopped);
  CHECK_INT(status_of(session, &stays), RmStatusRunning | RmStatusErrorOnStop);
  client_end(&stays);
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  client_close(session);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(p01_restart_first_answers_776),
                                     CHECK_TEST(p02_nobody_affected),
                                     CHECK_TEST(p03_a_window_agrees),
                                     CHECK_TEST(p04_a_veto),
                                     CHECK_TEST(p05_a_veto_is_overruled),
                                     CHECK_TEST(p06_a_window_that_hangs),
                                     CHECK_TEST(p07_only_registered),
                                     CHECK_TEST(p08_a_console_program),
                                     CHECK_TEST(p09_a_window_that_goes_late),
                                     CHECK_TEST(p10_who_refuses_spares_all),
                                     CHECK_TEST(p11_one_kind_after_the_other),
                                     CHECK_TEST(p12_what_depends_on_a_service),
                                     CHECK_TEST(p13_a_filter_leaves_it_stopped),
                                     CHECK_TEST(p14_the_end_gives_up_what_is_stopped),
                                     CHECK_TEST(p15_cancel),
                                     CHECK_TEST(p16_who_cannot_be_asked),
                                     CHECK_TEST(p17_a_window_that_is_not_shown),
                                     CHECK_TEST(p18_the_limit_of_services),
                                     CHECK_TEST(p19_a_critical_one_spares_all),
                                     CHECK_TEST(p20_some_stop_and_one_does_not)};
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
