/* client_stop.c: conformance of RmShutdown, RmRestart and RmCancelCurrentTask, by the numbers of src/dll/README.md.
 * SPDX-License-Identifier: MIT */
#include "client_service.h"

/* ---- Victims: each holds the same file ---- */

static wchar_t *file, *note;

static void new_files(const wchar_t *name) {
  wchar_t of_note[64];
  swprintf(of_note, ARRAYSIZE(of_note), L"%ls-note", name);
  file = client_new_file(name);
  note = client_path(of_note);
}

static client_program windowed(const wchar_t *behaviour) {
  wchar_t arguments[MAX_PATH * 3];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" note \"%ls\" window%ls", file, note, behaviour);
  return client_start(L"holder_windowed.exe", arguments, 0);
}

static client_program console(const wchar_t *more) {
  wchar_t arguments[MAX_PATH * 3];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" console new note \"%ls\" %ls", file, note, more);
  return client_hold(arguments);
}

static DWORD session_on_file(void) {
  DWORD session = client_session(NULL);
  client_register(session, file);
  return session;
}

static ULONG status_of(DWORD session, const client_program *program) {
  client_list list = client_get_list(session);
  CHECK_INT(list.code, 0);
  const RM_PROCESS_INFO *info = client_find(&list, &program->id);
  CHECK(info != NULL);
  return info->AppStatus;
}

static const char *since(const char *text, const char *word) {
  const char *found = strstr(text, word);
  if (!found) fprintf(stderr, "no '%s' in:\n%s", word, text);
  CHECK(found != NULL);
  return found;
}

/* How long whoever is forced may take, for as long as a test needs it: a user's own setting. */
static void set_limit(const wchar_t *milliseconds) {
  HKEY desktop;
  CHECK(RegCreateKeyExW(HKEY_CURRENT_USER, L"Control Panel\\Desktop", 0, NULL, 0, KEY_SET_VALUE, NULL, &desktop,
                        NULL) == ERROR_SUCCESS);
  LSTATUS status = milliseconds ? RegSetValueExW(desktop, L"HungAppTimeout", 0, REG_SZ, (const BYTE *)milliseconds,
                                                 (DWORD)((wcslen(milliseconds) + 1) * sizeof *milliseconds))
                                : RegDeleteValueW(desktop, L"HungAppTimeout");
  CHECK(status == ERROR_SUCCESS || (!milliseconds && status == ERROR_FILE_NOT_FOUND));
  RegCloseKey(desktop);
}

static int seen[128];
static size_t seen_count;

static void see(UINT percent) {
  if (seen_count < ARRAYSIZE(seen)) seen[seen_count++] = (int)percent;
}

static void check_seen(int last) {
  CHECK(seen_count >= 1 && seen[0] == 0);
  for (size_t i = 1; i < seen_count; i++) CHECK(seen[i] > seen[i - 1] && seen[i] <= 100);
  CHECK_INT(seen[seen_count - 1], last);
  seen_count = 0;
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
  CHECK(GetTickCount() - began < 10000); /* who says no is not waited for */
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
  set_limit(L"2000");
  DWORD code = RmShutdown(session, RmForceShutdown, see);
  set_limit(NULL);
  CHECK_INT(code, 0);
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
  CHECK(GetTickCount() - began < 40000);
  CHECK(client_runs(&victim));
  set_limit(L"3000");
  began = GetTickCount();
  DWORD code = RmShutdown(session, RmForceShutdown, NULL);
  set_limit(NULL);
  CHECK_INT(code, 0);
  CHECK(GetTickCount() - began < 20000); /* this machine's limit holds, not the usual 30 s */
  CHECK(client_wait(&victim) != 0);
  CHECK(client_is_free(file));
  client_close(session);
}

static void p07_only_registered(void) {
  new_files(L"p07");
  client_program victim = windowed(L" agree");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, RmShutdownOnlyRegistered, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK_INT(RmShutdown(session, RmShutdownOnlyRegistered | RmForceShutdown, NULL), CLIENT_FAIL_SHUTDOWN);
  CHECK(client_runs(&victim) && !strstr(client_read(note), "query"));
  client_close(session);
  client_end(&victim);
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

static void p11_windows_before_services(void) {
  wchar_t arguments[MAX_PATH + 16];
  new_files(L"p11");
  client_program victim = windowed(L" agree");
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\"", file);
  client_service service = client_service_start(L"rm-p11", NULL, note, arguments);
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, see), 0);
  check_seen(100);
  CHECK_INT(client_wait(&victim), 0);
  CHECK(!client_service_runs(&service) && client_is_free(file));
  since(since(client_read(note), "end 1 1\n"), "stop\n");
  CHECK_INT(RmRestart(session, 0, see), 0);
  check_seen(100);
  CHECK(client_service_runs(&service)); /* without having registered */
  since(since(client_read(note), "stop\n"), "start ");
  client_list list = client_get_list(session);
  const RM_PROCESS_INFO *info = NULL;
  for (UINT i = 0; i < list.count; i++)
    if (list.infos[i].ApplicationType == RmService) info = &list.infos[i];
  CHECK(list.code == 0 && info);
  CHECK_INT(info->AppStatus, RmStatusRunning | RmStatusStopped | RmStatusRestarted);
  client_close(session);
  client_service_end(&service);
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
  wchar_t arguments[MAX_PATH + 16];
  new_files(L"p13");
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\"", file);
  client_service service = client_service_start(L"rm-p13", NULL, note, arguments);
  DWORD session = session_on_file();
  CHECK_INT(RmAddFilter(session, NULL, NULL, L"RM-P13", RmNoRestart), 0);
  client_list list = client_get_list(session);
  CHECK(list.count == 1 && list.infos->AppStatus == (RmStatusRunning | RmStatusRestartMasked));
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(RmRestart(session, 0, NULL), 0);
  CHECK(!client_service_runs(&service));
  list = client_get_list(session);
  CHECK(list.count == 1 && list.infos->AppStatus == (RmStatusStopped | RmStatusRestartMasked));
  client_close(session);
  client_service_end(&service);
}

static void p14_the_end_gives_up_what_is_stopped(void) {
  wchar_t arguments[MAX_PATH + 16];
  new_files(L"p14");
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\"", file);
  client_service service = client_service_start(L"rm-p14", NULL, note, arguments);
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  client_close(session);
  CHECK(!client_service_runs(&service));
  client_service_end(&service);
}

/* ---- Cancelling ---- */

static DWORD WINAPI cancel_soon(void *session) {
  Sleep(1000);
  return RmCancelCurrentTask(*(DWORD *)session);
}

static void p15_cancel(void) {
  new_files(L"p15");
  client_program victim = windowed(L" deaf"); /* agrees, and stays: the wait for it is long */
  DWORD session = session_on_file(), began = GetTickCount(), code;
  HANDLE thread = CreateThread(NULL, 0, cancel_soon, &session, 0, NULL);
  CHECK_INT(RmShutdown(session, 0, NULL), ERROR_CANCELLED);
  CHECK(GetTickCount() - began < 8000);
  CHECK(WaitForSingleObject(thread, 5000) == WAIT_OBJECT_0 && GetExitCodeThread(thread, &code) && code == 0);
  CloseHandle(thread);
  CHECK(client_runs(&victim));
  client_end(&victim);
  CHECK_INT(RmCancelCurrentTask(session), 0); /* there is nothing to cancel, and the next one is none of its business */
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  client_close(session);
}

/* ---- Restart ---- */

static const char *lines_again(void) {
  static char text[4096];
  for (int i = 0; i < 100; i++) {
    snprintf(text, sizeof text, "%s", client_read(client_path(L"note")));
    if (strstr(strchr(text, '\n') + 1, "start ")) break;
    Sleep(50);
  }
  return strchr(text, '\n') + 1; /* after the line of the first start */
}

static void end_pid(DWORD pid) {
  HANDLE process = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, pid);
  CHECK(process != NULL && TerminateProcess(process, 1));
  CHECK_INT(WaitForSingleObject(process, 5000), WAIT_OBJECT_0);
  CloseHandle(process);
}

/* Starts `registered` with that argument from its own folder, stops and restarts it. What it told when it ran again;
 * "" if it did not. */
static const char *come_back(const wchar_t *how, bool restartable) {
  wchar_t source[MAX_PATH];
  wchar_t *program = client_path(L"registered.exe"), *held = client_path(L"held"), *own_note = client_path(L"note");
  swprintf(source, MAX_PATH, L"%ls..\\registered.exe", client_folder());
  CopyFileW(source, program, TRUE);
  if (GetFileAttributesW(held) == INVALID_FILE_ATTRIBUTES) client_new_file(L"held");
  DeleteFileW(own_note);
  client_program victim = client_start(program, how, 0);
  DWORD session = client_session(NULL);
  client_register(session, held);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &victim.id));
  CHECK_INT(list.infos->bRestartable, restartable);
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&victim), 0);
  CHECK(client_is_free(held));
  CHECK_INT(RmRestart(session, 0, see), 0);
  check_seen(100);
  list = client_get_list(session); /* under its old number, or its new one once that has the file */
  CHECK(list.code == 0 && list.count == 1);
  CHECK_INT(list.infos->AppStatus & ~(ULONG)RmStatusRunning,
            restartable ? RmStatusStopped | RmStatusRestarted : RmStatusStopped);
  client_close(session);
  return restartable ? lines_again() : strchr(client_read(own_note), '\n') + 1;
}

/* The folder in which it runs is the one that it was started in, before and after. */
static void check_folder(const char *line) {
  char folder[MAX_PATH], expected[MAX_PATH + 2];
  CHECK(GetCurrentDirectoryA(MAX_PATH, folder) > 0);
  snprintf(expected, sizeof expected, " %s", folder);
  since(line, expected);
}

static void check_again(const char *line, const char *arguments) {
  DWORD pid = strtoul(since(line, "start ") + 6, NULL, 10);
  since(line, arguments);
  check_folder(line);
  end_pid(pid);
}

static void p16_registered_with_arguments(void) {
  check_again(come_back(L"args", true), " [again] [with blank]\n");
}

static void p17_registered_without_arguments(void) {
  const char *line = come_back(L"empty", true);
  CHECK(strchr(line, '[') == NULL);
  check_again(line, "\n");
}

static void p18_registered_but_not_for_updates(void) {
  CHECK_TEXT(come_back(L"nopatch", false), "");
}

static void p19_not_registered(void) {
  CHECK_TEXT(come_back(L"none", false), "");
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
                                     CHECK_TEST(p11_windows_before_services),
                                     CHECK_TEST(p12_what_depends_on_a_service),
                                     CHECK_TEST(p13_a_filter_leaves_it_stopped),
                                     CHECK_TEST(p14_the_end_gives_up_what_is_stopped),
                                     CHECK_TEST(p15_cancel),
                                     CHECK_TEST(p16_registered_with_arguments),
                                     CHECK_TEST(p17_registered_without_arguments),
                                     CHECK_TEST(p18_registered_but_not_for_updates),
                                     CHECK_TEST(p19_not_registered),
                                     CHECK_TEST(p20_some_stop_and_one_does_not)};
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
