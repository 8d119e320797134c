/* sample_secondary.c: the calls of a secondary installer as Microsoft's documentation shows them: join with the key
 * that the primary has handed over, register two files, end. It may not list, which it tries. KEY is the last argument:
 * the primary puts it there. SPDX-License-Identifier: MIT */
#include <windows.h>
#include <restartmanager.h>

#include <stdio.h>
#include <wchar.h>

int wmain(int argc, wchar_t **argv); /* what mingw-w64's -municode calls */

int wmain(int argc, wchar_t **argv) {
  DWORD session = 0xFFFFFFFF, reasons;
  UINT needed, count = 0;
  if (argc != 4) {
    fprintf(stderr, "usage: sample_secondary FILE FILE KEY\n");
    return 2;
  }
  LPCWSTR files[] = {argv[1], argv[2]};
  DWORD error = RmJoinSession(&session, argv[3]);
  if (error == ERROR_SUCCESS) error = RmRegisterResources(session, 2, files, 0, NULL, 0, NULL);
  if (error == ERROR_SUCCESS) {
    printf("secondary's list %lu\n", RmGetList(session, &needed, &count, NULL, &reasons));
    fflush(stdout);
  }
  if (session != 0xFFFFFFFF) RmEndSession(session);
  return (int)error;
}
