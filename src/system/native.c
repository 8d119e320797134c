/* native.c: SPDX-License-Identifier: MIT */
#include "system/native.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/wide.h"

static const char DLL[] = "rstrtmgr.dll";

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* What a number means beyond its name, where the Restart Manager's own use of it is peculiar. */
static const struct {
  DWORD code;
  const char *call; /* NULL: whichever */
  const char *detail;
} words[] = {
    {ERROR_MAX_SESSIONS_REACHED, NULL,
     "all of the 64 sessions that Windows has for everything this user runs are in use: close sessions that are no "
     "longer needed, or use manager = 'builtin', which has no limit"},
    {ERROR_ACCESS_DENIED, "RmGetList",
     "the system's Restart Manager cannot look at a registered path: it has become a directory, or may not be opened"},
    {ERROR_INVALID_HANDLE, "RmGetList",
     "the session has ended, or a file has more holders than the system's Restart Manager can list (about 150): "
     "manager = 'builtin' can"},
    {ERROR_INVALID_HANDLE, NULL, "the system's Restart Manager does not know the session any more"},
    {ERROR_WRITE_FAULT, "RmRegisterResources",
     "the system's Restart Manager could not keep what was registered: a path is too long for it, or there is too much "
     "in the session already"},
    {ERROR_WRITE_FAULT, NULL, "the system's Restart Manager could not read or write its part of the registry"},
    {ERROR_SEM_TIMEOUT, NULL,
     "the system's Restart Manager did not get at its part of the registry in time; Microsoft advises a restart"},
    {ERROR_SESSION_CREDENTIAL_CONFLICT, "RmJoinSession",
     "the system's Restart Manager has no session of this user with that key"},
};

static const char *detail_of(DWORD code, const char *call) {
  for (size_t i = 0; i < RSM_COUNT(words); i++)
    if (words[i].code == code && (!words[i].call || strcmp(words[i].call, call) == 0)) return words[i].detail;
  return NULL;
}

/* The public numbers are the Restart Manager's own. */
static rsm_status status_of(DWORD code) {
  if (code == ERROR_NOT_ENOUGH_MEMORY) return RSM_OUT_OF_MEMORY;
  if (code == ERROR_PATH_NOT_FOUND) return RSM_FILE_NOT_FOUND;
  for (int i = RSM_OK + 1; i < RSM_STATUS_COUNT; i++)
    if (i != RSM_PENDING && rsm_status_number((rsm_status)i) == (int)code) return (rsm_status)i;
  return RSM_GEN_FAILURE;
}

rsm_status rsm__native_fail(rsm_error *reterr, DWORD code, const char *call, const char *subject) {
  rsm_status status = status_of(code);
  wchar_t wide[256];
  char text[96];
  if (!reterr) return status;
  DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
  DWORD length = FormatMessageW(flags, NULL, code, 0, wide, RSM_COUNT(wide), NULL);
  while (length > 0 && (wide[length - 1] == L' ' || wide[length - 1] == L'.')) length--;
  rsm__narrow_to(text, sizeof text, wide, length);
  rsm__fail_call(reterr, status, call, (int)code, length ? text : NULL, subject);
  const char *detail = detail_of(code, call);
  if (detail) rsm__error_explain(reterr, "%s", detail);
  return status;
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

bool rsm__native_is_wine(void) {
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  return ntdll && GetProcAddress(ntdll, "wine_get_version");
}

/* Wine marks its own DLLs behind the DOS header. */
static bool is_wines_own(HMODULE module) {
  static const char mark[] = "Wine builtin DLL";
  const char *image = (const char *)module;
  const IMAGE_DOS_HEADER *header = (const IMAGE_DOS_HEADER *)image;
  return header->e_lfanew >= (LONG)(sizeof *header + sizeof mark) &&
         memcmp(image + sizeof *header, mark, sizeof mark - 1) == 0;
}

/* In a replacement for the system's DLL this manager would find itself. */
static bool are_we_the_dll(void) {
  HMODULE self;
  DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  return GetModuleHandleExW(flags, (LPCWSTR)(const void *)DLL, &self) && GetProcAddress(self, "RmStartSession");
}

/* By its whole path: by its name alone one that is loaded already would be taken, from wherever it came. */
static HMODULE load_library(void) {
  wchar_t path[MAX_PATH + sizeof "\\rstrtmgr.dll"];
  UINT length = GetSystemDirectoryW(path, MAX_PATH);
  if (length == 0 || length >= MAX_PATH) return NULL;
  wcscpy(path + length, L"\\rstrtmgr.dll");
  return LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
}

static bool fill(HMODULE module, rsm__native *native, rsm_error *reterr) {
  const char *missing = NULL;
#define X(name)                                                                                                        \
  native->name = (__typeof__(native->name))(void (*)(void))GetProcAddress(module, #name);                              \
  if (!native->name && !missing) missing = #name;
  RSM__NATIVE_FUNCTIONS(X)
#undef X
  if (missing) rsm__fail(reterr, RSM_NOT_SUPPORTED, DLL, "the system's DLL lacks %s: use manager = 'builtin'", missing);
  return !missing;
}

static HMODULE open_library(rsm_error *reterr) {
  if (are_we_the_dll()) {
    rsm__fail(reterr, RSM_NOT_SUPPORTED, DLL, "this library is a part of an rstrtmgr.dll itself");
    return NULL;
  }
  HMODULE module = load_library();
  if (!module) {
    rsm__native_fail(reterr, GetLastError(), "LoadLibraryExW", DLL);
    if (reterr) reterr->status = RSM_NOT_SUPPORTED;
    return NULL;
  }
  if (!is_wines_own(module)) return module;
  FreeLibrary(module);
  rsm__fail(reterr, RSM_NOT_SUPPORTED, DLL,
            "Wine's own DLL answers success to everything and does nothing: use manager = 'builtin'");
  return NULL;
}

const rsm__native *rsm__native_load(rsm_error *reterr) {
  static SRWLOCK lock = SRWLOCK_INIT;
  static rsm__native native;
  static bool loaded;
  AcquireSRWLockExclusive(&lock);
  if (!loaded) {
    HMODULE module = open_library(reterr);
    loaded = module && fill(module, &native, reterr);
    if (module && !loaded) FreeLibrary(module);
  }
  bool usable = loaded;
  ReleaseSRWLockExclusive(&lock);
  return usable ? &native : NULL;
}

/* ---- Processes --------------------------------------------------------------------------------------------------- */

RM_UNIQUE_PROCESS rsm__native_process(const rsm_process *process) {
  RM_UNIQUE_PROCESS unique = {.dwProcessId = process->pid};
  unique.ProcessStartTime.dwLowDateTime = (DWORD)process->start_time;
  unique.ProcessStartTime.dwHighDateTime = (DWORD)(process->start_time >> 32);
  return unique;
}

rsm_process rsm__native_process_of(const RM_UNIQUE_PROCESS *process) {
  if (process->dwProcessId == (DWORD)RM_INVALID_PROCESS || process->dwProcessId == 0) return (rsm_process){0};
  const FILETIME *time = &process->ProcessStartTime;
  return (rsm_process){.pid = process->dwProcessId,
                       .start_time = (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime};
}
