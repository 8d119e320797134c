/* test_system_load.c: which rstrtmgr.dll the `system` manager takes. SPDX-License-Identifier: MIT */
#include "system_fixture.h"

/* A program may have loaded another DLL of that name, our own replacement beside it: that is not the system's. */
static void not_one_that_happens_to_be_loaded(void) {
  WCHAR system[MAX_PATH + 16], folder[64], other[128];
  CHECK(GetSystemDirectoryW(system, MAX_PATH));
  wcscat(system, L"\\rstrtmgr.dll");
  swprintf(folder, ARRAYSIZE(folder), L"C:\\rm-system-load-%lu", GetCurrentProcessId());
  swprintf(other, ARRAYSIZE(other), L"%ls\\rstrtmgr.dll", folder);
  CHECK(CreateDirectoryW(folder, NULL) && CopyFileW(system, other, TRUE));
  HMODULE module = LoadLibraryW(other);
  CHECK(module);
  script *decoy = ((scripted_function *)(void (*)(void))GetProcAddress(module, "scripted"))();
  begin_script();
  CHECK(orders != decoy);
  rsm_session_free(begin_session());
  CHECK_INT(decoy->starts, 0);
  CHECK_INT(orders->starts, 1);
  CHECK(FreeLibrary(module));
  CHECK(DeleteFileW(other) && RemoveDirectoryW(folder));
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(not_one_that_happens_to_be_loaded)};
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
