/* client_exports.c: the DLL's names, ordinals and imports, read from its image. SPDX-License-Identifier: MIT */
#include "client.h"
#include "os/windows/create_process.h"

static const char *const names[] = {"RmAddFilter",   "RmCancelCurrentTask", "RmEndSession",        "RmGetFilterList",
                                    "RmGetList",     "RmJoinSession",       "RmRegisterResources", "RmRemoveFilter",
                                    "RmReserveHeap", "RmRestart",           "RmShutdown",          "RmStartSession"};

static const BYTE *image(void) {
  const BYTE *base = (const BYTE *)GetModuleHandleW(L"rstrtmgr.dll");
  wchar_t path[MAX_PATH], expected[MAX_PATH];
  CHECK(base != NULL);
  CHECK(GetModuleFileNameW((HMODULE)(const void *)base, path, MAX_PATH) > 0);
  swprintf(expected, MAX_PATH, L"%lsrstrtmgr.dll", client_folder());
  CHECK(_wcsicmp(path, expected) == 0); /* not the system's */
  return base;
}

static const void *directory(int index) {
  const BYTE *base = image();
  const IMAGE_NT_HEADERS *headers = (const void *)(base + ((const IMAGE_DOS_HEADER *)(const void *)base)->e_lfanew);
  DWORD address = headers->OptionalHeader.DataDirectory[index].VirtualAddress;
  CHECK(address != 0);
  return base + address;
}

static void twelve_names_with_their_ordinals(void) {
  const IMAGE_EXPORT_DIRECTORY *exports = directory(IMAGE_DIRECTORY_ENTRY_EXPORT);
  HMODULE module = (HMODULE)(const void *)image();
  CHECK_INT(exports->Base, 1);
  CHECK_INT(exports->NumberOfNames, ARRAYSIZE(names));
  CHECK_TEXT((const char *)image() + exports->Name, "rstrtmgr.dll");
  const DWORD *name_table = (const DWORD *)(const void *)(image() + exports->AddressOfNames);
  for (size_t i = 0; i < ARRAYSIZE(names); i++) {
    CHECK_TEXT((const char *)image() + name_table[i], names[i]);
    FARPROC function = GetProcAddress(module, names[i]);
    CHECK(function && function == GetProcAddress(module, (LPCSTR)(ULONG_PTR)(i + 1)));
  }
  /* One more, without a name: what rundll32 is told to run (os/windows/console.h). */
  enum { HELPER = 100 };
  CHECK_INT(exports->NumberOfFunctions, HELPER);
  for (size_t i = ARRAYSIZE(names) + 1; i <= HELPER; i++)
    CHECK((GetProcAddress(module, (LPCSTR)(ULONG_PTR)i) != NULL) == (i == HELPER));
}

/* C's library is msvcrt.dll, or the parts of the UCRT, which Windows 10 brought: as the compiler has it. */
static bool every_windows_has(const char *name) {
  static const char *const dlls[] = {"kernel32.dll", "ntdll.dll", "advapi32.dll", "user32.dll",
                                     "shell32.dll",  "ole32.dll", "msvcrt.dll",   "version.dll"};
  static const char ucrt[] = "api-ms-win-crt-";
  for (size_t i = 0; i < ARRAYSIZE(dlls); i++)
    if (_stricmp(name, dlls[i]) == 0) return true;
  return _strnicmp(name, ucrt, sizeof ucrt - 1) == 0;
}

static void imports_only_what_every_windows_has(void) {
  const IMAGE_IMPORT_DESCRIPTOR *import = directory(IMAGE_DIRECTORY_ENTRY_IMPORT);
  size_t count = 0;
  for (; import->Name; import++, count++) {
    const char *name = (const char *)image() + import->Name;
    bool known = every_windows_has(name);
    if (!known) fprintf(stderr, "imports %s\n", name);
    CHECK(known);
  }
  CHECK(count > 0);
}

/* The manager that hands on to the system's DLL, which may be this one, is not in it: its path would be. */
static void does_not_load_itself(void) {
  static const wchar_t path[] = L"\\rstrtmgr.dll";
  const BYTE *base = image();
  const IMAGE_NT_HEADERS *headers = (const void *)(base + ((const IMAGE_DOS_HEADER *)(const void *)base)->e_lfanew);
  const IMAGE_SECTION_HEADER *section = IMAGE_FIRST_SECTION(headers);
  for (WORD i = 0; i < headers->FileHeader.NumberOfSections; i++, section++) {
    if (memcmp(section->Name, ".rdata", 6) != 0) continue;
    for (DWORD at = 0; at + sizeof path <= section->Misc.VirtualSize; at++)
      CHECK(memcmp(base + section->VirtualAddress + at, path, sizeof path) != 0);
    return;
  }
  check_fail(__FILE__, __LINE__, "there is a section with what is constant");
}

static void reserving_memory_is_welcome(void) {
  DWORD(WINAPI * reserve)(DWORD) = (void *)GetProcAddress((HMODULE)(const void *)image(), "RmReserveHeap");
  CHECK_INT(reserve(1 << 20), ERROR_SUCCESS);
}

/* In a process of its own, since a DLL that stays cannot be deleted: the exit code says what was wrong. */
static int try_to_unload(const char *narrow) {
  wchar_t path[MAX_PATH];
  DWORD session;
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  MultiByteToWideChar(CP_ACP, 0, narrow, -1, path, MAX_PATH);
  HMODULE module = LoadLibraryW(path);
  if (!module) return 1;
  FreeLibrary(module);
  if (GetModuleHandleW(path)) return 2; /* nothing was begun: it goes */
  module = LoadLibraryW(path);
  DWORD(WINAPI * start)(DWORD *, DWORD, WCHAR *) = (void *)GetProcAddress(module, "RmStartSession");
  DWORD(WINAPI * end)(DWORD) = (void *)GetProcAddress(module, "RmEndSession");
  if (start(&session, 0, key) != ERROR_SUCCESS || end(session) != ERROR_SUCCESS) return 3;
  for (int i = 0; i < 3; i++) FreeLibrary(module);
  if (GetModuleHandleW(path) != module) return 4; /* a thread of its may be waiting somewhere: it stays */
  return start(&session, 0, key) == ERROR_SUCCESS && end(session) == ERROR_SUCCESS ? 0 : 5;
}

static void stays_after_its_first_session(void) {
  wchar_t source[MAX_PATH], line[MAX_PATH * 2];
  STARTUPINFOW how = {.cb = sizeof how};
  PROCESS_INFORMATION made;
  DWORD code;
  wchar_t *copy = client_path(L"another.dll");
  swprintf(source, MAX_PATH, L"%lsrstrtmgr.dll", client_folder());
  CHECK(CopyFileW(source, copy, TRUE));
  swprintf(line, ARRAYSIZE(line), L"\"%lsclient_exports.exe\" unload %ls", client_folder(), copy);
  CHECK(rsm__create_process(NULL, line, FALSE, 0, NULL, NULL, &how, &made));
  CHECK_INT(WaitForSingleObject(made.hProcess, 20000), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(made.hProcess, &code));
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  CHECK_INT(code, 0);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(twelve_names_with_their_ordinals),
                                     CHECK_TEST(imports_only_what_every_windows_has), CHECK_TEST(does_not_load_itself),
                                     CHECK_TEST(reserving_memory_is_welcome),
                                     CHECK_TEST(stays_after_its_first_session)};
  if (argc == 3 && strcmp(argv[1], "unload") == 0) return try_to_unload(argv[2]);
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
