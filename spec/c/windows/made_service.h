/* made_service.h: real services, made for a test and removed again; their program is service.c's.
 * SPDX-License-Identifier: MIT */
#ifndef MADE_SERVICE_H
#define MADE_SERVICE_H

#include "child.h"

#include <winsvc.h>

typedef struct made {
  wchar_t name[64];
  char narrow[64];
  SC_HANDLE handle;
} made;

/* The program beside this test, or where the build puts programs that are no tests. */
static inline const wchar_t *service_program(void) {
  static wchar_t path[MAX_PATH];
  for (int up = 0; up < 2; up++) {
    wcscpy(path, child_program());
    for (int i = 0; i <= up; i++) *wcsrchr(path, L'\\') = L'\0';
    wcscat(path, L"\\service.exe");
    if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES) return path;
  }
  check_fail(__FILE__, __LINE__, "service.exe is missing");
  return NULL;
}

static inline made make_service(const wchar_t *kind, const wchar_t *words, const wchar_t *needs) {
  static SC_HANDLE manager;
  made service = {0};
  wchar_t command[2048], display[128];
  if (!manager) manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS);
  CHECK(manager);
  swprintf(service.name, 64, L"rm-Test-%ls-%lu", kind, GetCurrentProcessId());
  snprintf(service.narrow, 64, "%ls", service.name);
  swprintf(display, 128, L"The Test's %ls (%lu)", kind, GetCurrentProcessId());
  swprintf(command, 2048, L"\"%ls\" %ls %ls", service_program(), service.name, words);
  service.handle = CreateServiceW(manager, service.name, display, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                  SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, command, NULL, NULL, needs, NULL, NULL);
  CHECK(service.handle);
  return service;
}

static inline SERVICE_STATUS_PROCESS state_of(const made *service) {
  SERVICE_STATUS_PROCESS told = {0};
  DWORD size;
  CHECK(QueryServiceStatusEx(service->handle, SC_STATUS_PROCESS_INFO, (BYTE *)&told, sizeof told, &size));
  return told;
}

static inline bool reaches(const made *service, DWORD state) {
  for (int i = 0; i < 1000 && state_of(service).dwCurrentState != state; i++) Sleep(10);
  return state_of(service).dwCurrentState == state;
}

static inline void bring_up(const made *service) {
  CHECK(StartServiceW(service->handle, 0, NULL));
  CHECK(reaches(service, SERVICE_RUNNING));
}

static inline void unmake(made *service) {
  SERVICE_STATUS told;
  SERVICE_STATUS_PROCESS now = state_of(service);
  if (now.dwCurrentState != SERVICE_STOPPED) {
    rsm__process *process = NULL;
    ControlService(service->handle, SERVICE_CONTROL_STOP, &told);
    for (int i = 0; i < 50 && state_of(service).dwCurrentState != SERVICE_STOPPED; i++) Sleep(10);
    if (now.dwProcessId && rsm__process_open(&(rsm_process){.pid = now.dwProcessId}, &process, NULL) == RSM_OK)
      rsm__process_kill(process, NULL);
    rsm__process_close(process);
  }
  CHECK(DeleteService(service->handle));
  CloseServiceHandle(service->handle);
}

#endif
