/* client_service.c: real services for the clients. SPDX-License-Identifier: MIT */
#include "client_service.h"

enum { SOON_MS = 10000, APART_MS = 50 };

static SERVICE_STATUS_PROCESS state_of(const client_service *service) {
  SERVICE_STATUS_PROCESS status;
  DWORD needed;
  CHECK(QueryServiceStatusEx(service->handle, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &needed));
  return status;
}

static void wait_for(const client_service *service, DWORD state) {
  for (int waited = 0; state_of(service).dwCurrentState != state; waited += APART_MS) {
    CHECK(waited < SOON_MS);
    Sleep(APART_MS);
  }
}

client_service client_service_start(const wchar_t *name, const wchar_t *depends_on, const wchar_t *note,
                                    const wchar_t *arguments) {
  wchar_t line[2048], depends[128] = L"", display[128];
  client_service service = {.name = name, .manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS)};
  CHECK(service.manager != NULL);
  if (depends_on) wcscpy(depends, depends_on);
  swprintf(line, ARRAYSIZE(line), L"\"%ls..\\service.exe\" %ls note \"%ls\" %ls", client_folder(), name, note,
           arguments);
  swprintf(display, ARRAYSIZE(display), L"Display of %ls", name);
  service.handle = CreateServiceW(service.manager, name, display, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                  SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, line, NULL, NULL,
                                  depends_on ? depends : NULL, NULL, NULL);
  if (!service.handle) fprintf(stderr, "CreateService %ls: error %lu\n", name, GetLastError());
  CHECK(service.handle != NULL);
  CHECK(StartServiceW(service.handle, 0, NULL));
  wait_for(&service, SERVICE_RUNNING);
  return service;
}

bool client_service_runs(const client_service *service) {
  return state_of(service).dwCurrentState == SERVICE_RUNNING;
}

DWORD client_service_pid(const client_service *service) {
  return state_of(service).dwProcessId;
}

/* Of one that was killed Wine's manager learns late. */
static bool has_process(const client_service *service) {
  HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, client_service_pid(service));
  bool alive = process && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
  if (process) CloseHandle(process);
  return alive;
}

void client_service_end(client_service *service) {
  SERVICE_STATUS status;
  if (state_of(service).dwCurrentState != SERVICE_STOPPED && has_process(service)) {
    ControlService(service->handle, SERVICE_CONTROL_STOP, &status);
    wait_for(service, SERVICE_STOPPED);
  }
  CHECK(DeleteService(service->handle));
  CloseServiceHandle(service->handle);
  CloseServiceHandle(service->manager);
}
