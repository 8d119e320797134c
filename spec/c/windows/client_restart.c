/* client_restart.c: conformance of RmRestart, by the numbers of src/dll/README.md. SPDX-License-Identifier: MIT */
#include "client_victims.h"

static void end_pid(DWORD pid) {
  HANDLE process = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, pid);
  CHECK(process != NULL && TerminateProcess(process, 1));
  CHECK_INT(WaitForSingleObject(process, 5000), WAIT_OBJECT_0);
  CloseHandle(process);
}

/* What `registered` tells of its second start; in between it was asked to end. */
static const char *told_again(const wchar_t *in) {
  return client_read_until(in, "query\n", "start ");
}

static DWORD pid_again(const wchar_t *in) {
  return strtoul(told_again(in) + strlen("start "), NULL, 10);
}

/* ---- Who comes back ---- */

/* Starts `registered` with that argument, stops and restarts it. What it told when it ran again; "" if it did not. */
static const char *come_back(const wchar_t *how, bool restartable) {
  client_program victim = registered(how, how);
  DWORD session = session_on_file();
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &victim.id));
  CHECK_INT(list.infos->bRestartable, restartable);
  CHECK(wcscmp(list.infos->strAppName, L"Pr\u00FCfling \u2013 \u518D\u8D77\u52D5") == 0); /* registered.rc */
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&victim), 0);
  CHECK(client_is_free(file));
  CHECK_INT(RmRestart(session, 0, see), 0);
  check_seen(100);
  list = client_get_list(session); /* under its old number, or its new one once that has the file */
  CHECK(list.code == 0 && list.count == 1);
  CHECK_INT(list.infos->AppStatus & ~(ULONG)RmStatusRunning,
            restartable ? RmStatusStopped | RmStatusRestarted : RmStatusStopped);
  client_close(session);
  if (restartable) return told_again(note);
  CHECK(strstr(since(client_read(note), "query\n"), "start ") == NULL);
  return "";
}

/* The folder in which it runs is the one that it was started in, before and after. */
static void check_folder(const char *line) {
  char folder[MAX_PATH], expected[MAX_PATH + 2];
  CHECK(GetCurrentDirectoryA(MAX_PATH, folder) > 0);
  snprintf(expected, sizeof expected, " %s", folder);
  since(line, expected);
}

static void check_again(const char *line, const char *arguments) {
  since(line, arguments);
  check_folder(line);
  end_pid(pid_again(note));
}

static void t01_registered_with_arguments(void) {
  check_again(come_back(L"args", true), " [again] [with blank]\n");
}

static void t02_registered_without_arguments(void) {
  const char *line = come_back(L"empty", true);
  CHECK(strchr(line, '[') == NULL);
  check_again(line, "\n");
}

static void t03_registered_but_not_for_updates(void) {
  CHECK_TEXT(come_back(L"nopatch", false), "");
}

static void t04_not_registered(void) {
  CHECK_TEXT(come_back(L"none", false), "");
}

/* ---- When something is in the way ---- */

static void t05_a_program_that_is_gone(void) {
  wchar_t program[MAX_PATH], aside[MAX_PATH];
  client_program victim = registered(L"t05", GetShellWindow() ? L"args" : L"args shell"); /* the first to be started */
  swprintf(program, MAX_PATH, L"%ls\\registered.exe", client_path(L"t05"));
  swprintf(aside, MAX_PATH, L"%ls.aside", program);
  wchar_t *note_of_victim = note;
  note = client_path(L"t05-note");
  client_service served = service(L"rm-t05", L"");
  DWORD session = session_on_file();
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&victim), 0);
  CHECK(MoveFileW(program, aside));
  CHECK_INT(RmRestart(session, 0, see), CLIENT_FAIL_RESTART);
  CHECK(seen_count > 0 && seen[seen_count - 1] < 100);
  seen_count = 0;
  CHECK_INT(status_of(session, &victim), RmStatusStopped | RmStatusErrorOnRestart);
  CHECK(client_service_runs(&served)); /* the others are started all the same */
  CHECK(MoveFileW(aside, program));
  CHECK_INT(RmRestart(session, 0, NULL), 0); /* what is still down */
  end_pid(pid_again(note_of_victim));
  CHECK_INT(status_of(session, &victim), RmStatusStopped | RmStatusErrorOnRestart | RmStatusRestarted);
  client_close(session);
  client_service_end(&served);
}

/* The lock of our own store: whoever has it starts programs at this moment. */
static client_program hold_lock(const WCHAR *key) {
  wchar_t local[MAX_PATH], arguments[MAX_PATH * 2], path[MAX_PATH * 2];
  CHECK(GetEnvironmentVariableW(L"LOCALAPPDATA", local, MAX_PATH) > 0);
  swprintf(path, ARRAYSIZE(path), L"%ls\\restartmanager\\%ls\\lock", local, key);
  HANDLE lock = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
  CHECK(lock != INVALID_HANDLE_VALUE);
  CloseHandle(lock);
  swprintf(arguments, ARRAYSIZE(arguments), L"lock \"%ls\"", path);
  return client_hold(arguments);
}

static void t06_a_lock_that_is_held_elsewhere(void) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  DWORD session = client_session(key), secondary;
  client_program locker = hold_lock(key), victim = registered(L"t06", L"args");
  client_register(session, file);
  CHECK_INT(client_get_list(session).code, 0);
  CHECK_INT(RmJoinSession(&secondary, key), 0);
  client_register(secondary, file);
  client_close(secondary);
  client_close(client_session(NULL));
  CHECK_INT(RmAddFilter(session, NULL, &locker.id, NULL, RmNoRestart), 0);
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&victim), 0);
  DWORD began = GetTickCount(); /* none of the others has asked for the lock */
  CHECK_INT(RmRestart(session, 0, NULL), ERROR_SEM_TIMEOUT);
  CHECK(GetTickCount() - began >= 14000 && GetTickCount() - began < 25000);
  CHECK_INT(status_of(session, &victim), RmStatusStopped);
  client_end(&locker);
  CHECK_INT(RmRestart(session, 0, NULL), 0);
  end_pid(pid_again(note));
  client_close(session);
}

/* ---- Cancelling, order ---- */

/* RmRestart waits for who has been told to end, as long as that one has. */
static void t07_cancel(void) {
  new_files(L"t07");
  client_program victim = windowed(L" deaf");
  DWORD session = session_on_file();
  client_canceller canceller = {.session = session, .file = note, .words = "end 1 1\n"};
  client_cancel_begin(&canceller);
  CHECK_INT(RmShutdown(session, 0, NULL), ERROR_CANCELLED);
  client_cancel_end(&canceller);
  DWORD began = GetTickCount();
  client_cancel_begin(&canceller);
  CHECK_INT(RmRestart(session, 0, NULL), ERROR_CANCELLED);
  client_cancel_end(&canceller);
  CHECK(GetTickCount() - began < 10000);
  client_end(&victim);
  CHECK_INT(RmRestart(session, 0, NULL), 0); /* the next one is not cancelled */
  client_close(session);
}

static FILETIME started(DWORD pid) {
  HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  CHECK(process != NULL);
  FILETIME time = client_identity(process).ProcessStartTime;
  CloseHandle(process);
  return time;
}

/* Explorer, services, applications: as they were stopped, the other way round. */
static void t08_the_reverse_order(void) {
  bool has_shell = !GetShellWindow();
  if (!has_shell) printf("skipped: Explorer (this desktop has its own)\n");
  client_program shell = registered(L"t08-shell", has_shell ? L"args shell" : L"args");
  wchar_t *held_by_shell = file, *note_of_shell = note;
  client_program window = registered(L"t08", L"args");
  wchar_t *note_of_window = note;
  note = client_path(L"t08-note");
  client_service served = service(L"rm-t08", L"");
  DWORD session = session_on_file();
  client_register(session, held_by_shell);
  CHECK_INT(RmShutdown(session, 0, NULL), 0);
  CHECK_INT(client_wait(&window) + client_wait(&shell), 0);
  CHECK(!client_service_runs(&served));
  CHECK_INT(RmRestart(session, 0, NULL), 0);
  DWORD pid_of_window = pid_again(note_of_window), pid_of_shell = pid_again(note_of_shell);
  FILETIME first = started(pid_of_shell), second = started(client_service_pid(&served));
  FILETIME third = started(pid_of_window);
  CHECK(!has_shell || CompareFileTime(&first, &second) < 0);
  CHECK(CompareFileTime(&second, &third) < 0);
  end_pid(pid_of_window);
  end_pid(pid_of_shell);
  client_close(session);
  client_service_end(&served);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(t01_registered_with_arguments),
                                     CHECK_TEST(t02_registered_without_arguments),
                                     CHECK_TEST(t03_registered_but_not_for_updates),
                                     CHECK_TEST(t04_not_registered),
                                     CHECK_TEST(t05_a_program_that_is_gone),
                                     CHECK_TEST(t06_a_lock_that_is_held_elsewhere),
                                     CHECK_TEST(t07_cancel),
                                     CHECK_TEST(t08_the_reverse_order)};
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
