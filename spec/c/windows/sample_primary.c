/* sample_primary.c: the calls of a primary installer as Microsoft's documentation shows them: start, register two
 * files, list with a few tries, shut down with flags 0, install, restart, end. The files are the arguments. With the
 * first argument "key PROGRAM" a secondary installer is run with the key before the list. SPDX-License-Identifier: MIT
 */
#include <windows.h>
#include <restartmanager.h>

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

enum { TRIES = 3 };

/* The applications; *ret_error tells how it went. To be freed. */
static RM_PROCESS_INFO *list(DWORD session, UINT *ret_count, DWORD *ret_reasons, DWORD *ret_error) {
  RM_PROCESS_INFO *infos = NULL;
  UINT needed = 0, count = 0;
  for (int i = 0; i <= TRIES; i++) {
    *ret_error = RmGetList(session, &needed, &count, infos, ret_reasons);
    if (*ret_error != ERROR_MORE_DATA) break;
    count = needed;
    free(infos);
    infos = calloc(count, sizeof *infos);
    if (!infos) *ret_error = ERROR_OUTOFMEMORY;
    if (!infos) break;
  }
  *ret_count = *ret_error == ERROR_SUCCESS ? count : 0;
  return infos;
}

static void print_one(const RM_PROCESS_INFO *info) {
  printf("application %lu type %d status %lu restartable %d %ls\n", info->Process.dwProcessId,
         (int)info->ApplicationType, info->AppStatus, info->bRestartable, info->strAppName);
}

static DWORD run_secondary(const wchar_t *program, const wchar_t *key) {
  wchar_t line[2048];
  STARTUPINFOW how = {.cb = sizeof how};
  PROCESS_INFORMATION made;
  DWORD code = 1;
  swprintf(line, 2048, L"%ls %ls", program, key);
  if (!CreateProcessW(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &how, &made)) return GetLastError();
  WaitForSingleObject(made.hProcess, INFINITE);
  GetExitCodeProcess(made.hProcess, &code);
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  return code;
}

static DWORD install(DWORD session) {
  UINT count;
  DWORD reasons = RmRebootReasonNone, error;
  RM_PROCESS_INFO *infos = list(session, &count, &reasons, &error);
  if (error != ERROR_SUCCESS) {
    free(infos);
    return error;
  }
  printf("reasons %lu\n", reasons);
  for (UINT i = 0; i < count; i++) print_one(&infos[i]);
  free(infos);
  if (reasons != RmRebootReasonNone) {
    printf("a reboot is needed\n");
    return ERROR_SUCCESS;
  }
  error = RmShutdown(session, 0, NULL);
  printf("shutdown %lu\n", error);
  if (error != ERROR_SUCCESS) return error;
  /* Here the files are replaced. */
  error = RmRestart(session, 0, NULL);
  printf("restart %lu\n", error);
  return error;
}

int wmain(int argc, wchar_t **argv); /* what mingw-w64's -municode calls */

int wmain(int argc, wchar_t **argv) {
  DWORD session = 0xFFFFFFFF;
  WCHAR key[CCH_RM_SESSION_KEY + 1] = {0};
  const wchar_t *secondary = argc > 2 && wcscmp(argv[1], L"key") == 0 ? argv[2] : NULL;
  int first = secondary ? 3 : 1;
  if (argc - first != 2) {
    fprintf(stderr, "usage: sample_primary [key PROGRAM] FILE FILE\n");
    return 2;
  }
  LPCWSTR files[] = {argv[first], argv[first + 1]};
  DWORD error = RmStartSession(&session, 0, key);
  if (error == ERROR_SUCCESS) error = RmRegisterResources(session, 2, files, 0, NULL, 0, NULL);
  if (error == ERROR_SUCCESS && secondary) error = run_secondary(secondary, key);
  if (error == ERROR_SUCCESS) error = install(session);
  if (session != 0xFFFFFFFF) RmEndSession(session);
  return (int)error;
}
