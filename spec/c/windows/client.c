/* client.c: what the clients of rstrtmgr.dll share. SPDX-License-Identifier: MIT */
#include "client.h"
#include "os/windows/create_process.h"

#include <stddef.h>

enum { SOON_MS = 10000, APART_MS = 20, READ_LIMIT = 65536, TRIES = 5 };

/* Zeroed memory that stays until the end. */
static void *keep(size_t count, size_t size) {
  static struct kept {
    struct kept *next;
    max_align_t memory[];
  } * all;
  struct kept *kept = calloc(1, sizeof *kept + count * size);
  CHECK(kept != NULL);
  kept->next = all;
  all = kept;
  return kept->memory;
}

/* ---- Files ---- */

const wchar_t *client_folder(void) {
  static wchar_t folder[MAX_PATH];
  if (folder[0]) return folder;
  DWORD length = GetModuleFileNameW(NULL, folder, MAX_PATH);
  CHECK(length > 0 && length < MAX_PATH);
  wcsrchr(folder, L'\\')[1] = L'\0';
  return folder;
}

static wchar_t temp[MAX_PATH];

static void remove_tree(const wchar_t *folder) {
  wchar_t pattern[MAX_PATH * 2];
  WIN32_FIND_DATAW found;
  swprintf(pattern, ARRAYSIZE(pattern), L"%ls*", folder);
  HANDLE search = FindFirstFileW(pattern, &found);
  for (BOOL more = search != INVALID_HANDLE_VALUE; more; more = FindNextFileW(search, &found)) {
    wchar_t path[MAX_PATH * 2];
    if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0) continue;
    bool folder_in_it = (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    swprintf(path, ARRAYSIZE(path), L"%ls%ls%ls", folder, found.cFileName, folder_in_it ? L"\\" : L"");
    if (folder_in_it)
      remove_tree(path);
    else
      DeleteFileW(path);
  }
  if (search != INVALID_HANDLE_VALUE) FindClose(search);
  RemoveDirectoryW(folder);
}

static void remove_temp(void) {
  remove_tree(temp);
}

const wchar_t *client_temp(void) {
  if (temp[0]) return temp;
  wchar_t base[MAX_PATH], full[MAX_PATH];
  CHECK(GetTempPathW(MAX_PATH, base) > 0 && GetLongPathNameW(base, full, MAX_PATH) > 0);
  swprintf(temp, MAX_PATH, L"%lsrm-client-%lu-%lu\\", full, GetCurrentProcessId(), GetTickCount());
  CHECK(CreateDirectoryW(temp, NULL));
  atexit(remove_temp);
  return temp;
}

wchar_t *client_path(const wchar_t *name) {
  size_t size = wcslen(client_temp()) + wcslen(name) + 1;
  wchar_t *path = keep(size, sizeof *path);
  swprintf(path, size, L"%ls%ls", client_temp(), name);
  return path;
}

wchar_t *client_new_file(const wchar_t *name) {
  DWORD written;
  wchar_t *path = client_path(name);
  HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE && WriteFile(file, "some bytes", 10, &written, NULL));
  CloseHandle(file);
  return path;
}

bool client_is_free(const wchar_t *path) {
  HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return false;
  CloseHandle(file);
  return true;
}

const char *client_read(const wchar_t *path) {
  static char all[READ_LIMIT];
  DWORD length = 0;
  HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                            OPEN_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return "";
  CHECK(ReadFile(file, all, READ_LIMIT - 1, &length, NULL));
  CloseHandle(file);
  all[length] = '\0';
  char *text = keep(1, length + 1), *to = text;
  for (const char *from = all; *from; from++)
    if (*from != '\r') *to++ = *from; /* what C's own library has added */
  return text;
}

static const char *find_after(const char *text, const char *before, const char *words) {
  const char *from = strstr(text, before);
  return from ? strstr(from, words) : NULL;
}

const char *client_read_until(const wchar_t *path, const char *before, const char *words) {
  const char *text = client_read(path);
  for (int waited = 0; !find_after(text, before, words) && waited < SOON_MS; waited += APART_MS) {
    Sleep(APART_MS);
    text = client_read(path);
  }
  const char *found = find_after(text, before, words);
  if (!found) fprintf(stderr, "no '%s' after '%s' in:\n%s", words, before, text);
  CHECK(found != NULL);
  return found;
}

/* ---- Programs ---- */

/* Whatever becomes of us, who is in it ends with us. */
static HANDLE our_job(void) {
  static HANDLE job;
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
      .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}};
  if (job) return job;
  job = CreateJobObjectW(NULL, NULL);
  CHECK(job && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits));
  return job;
}

RM_UNIQUE_PROCESS client_identity(HANDLE process) {
  RM_UNIQUE_PROCESS id = {.dwProcessId = GetProcessId(process)};
  FILETIME exited, kernel, user;
  CHECK(GetProcessTimes(process, &id.ProcessStartTime, &exited, &kernel, &user));
  return id;
}

/* Reads until the program has said that it is ready, or its output has ended. */
static bool read_ready(HANDLE output) {
  char text[4096] = "";
  for (size_t used = 0; used + 1 < sizeof text; used++) {
    DWORD length;
    if (!ReadFile(output, text + used, 1, &length, NULL) || length == 0) return false;
    if (text[used] == '\n' && strstr(text, "ready ")) return true;
  }
  return false;
}

client_program client_start(const wchar_t *name, const wchar_t *arguments, DWORD flags) {
  wchar_t line[8192];
  HANDLE in[2], out[2];
  SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
  PROCESS_INFORMATION made;
  bool whole = wcschr(name, L'\\') != NULL;
  swprintf(line, ARRAYSIZE(line), L"\"%ls%ls%ls\" %ls", whole ? L"" : client_folder(), whole ? L"" : L"..\\", name,
           arguments);
  CHECK(CreatePipe(&in[0], &in[1], &inheritable, 0) && CreatePipe(&out[0], &out[1], &inheritable, 0));
  SetHandleInformation(in[1], HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(out[0], HANDLE_FLAG_INHERIT, 0);
  STARTUPINFOW how = {.cb = sizeof how,
                      .dwFlags = STARTF_USESTDHANDLES,
                      .hStdInput = in[0],
                      .hStdOutput = out[1],
                      .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
  if (!rsm__create_process(NULL, line, TRUE, flags, NULL, NULL, &how, &made)) {
    fprintf(stderr, "cannot start %ls: error %lu\n", line, GetLastError());
    exit(1);
  }
  CHECK(AssignProcessToJobObject(our_job(), made.hProcess));
  CloseHandle(made.hThread);
  CloseHandle(in[0]);
  CloseHandle(out[1]);
  CHECK(read_ready(out[0]));
  CloseHandle(out[0]);
  return (client_program){.process = made.hProcess, .input = in[1], .id = client_identity(made.hProcess)};
}

client_program client_hold(const wchar_t *arguments) {
  return client_start(L"holder.exe", arguments, 0);
}

client_program client_hold_file(const wchar_t *path) {
  wchar_t arguments[MAX_PATH + 32];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\"", path);
  return client_hold(arguments);
}

bool client_runs(const client_program *program) {
  return WaitForSingleObject(program->process, 0) == WAIT_TIMEOUT;
}

DWORD client_wait(client_program *program) {
  DWORD code;
  CHECK_INT(WaitForSingleObject(program->process, SOON_MS), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(program->process, &code));
  CloseHandle(program->input);
  CloseHandle(program->process);
  return code;
}

void client_end(client_program *program) {
  TerminateProcess(program->process, 1);
  client_wait(program);
}

/* ---- Sessions ---- */

DWORD client_session(WCHAR key[CCH_RM_SESSION_KEY + 1]) {
  DWORD session;
  WCHAR own[CCH_RM_SESSION_KEY + 1];
  CHECK_INT(RmStartSession(&session, 0, key ? key : own), ERROR_SUCCESS);
  return session;
}

void client_close(DWORD session) {
  CHECK_INT(RmEndSession(session), ERROR_SUCCESS);
}

void client_register(DWORD session, const wchar_t *file) {
  CHECK_INT(RmRegisterResources(session, 1, &file, 0, NULL, 0, NULL), ERROR_SUCCESS);
}

client_list client_get_list(DWORD session) {
  client_list list = {.code = ERROR_MORE_DATA};
  for (int i = 0; i < TRIES && list.code == ERROR_MORE_DATA; i++) {
    list.count = list.needed + 1;
    list.infos = keep(list.count, sizeof *list.infos);
    list.code = RmGetList(session, &list.needed, &list.count, list.infos, &list.reasons);
  }
  return list;
}

static DWORD WINAPI cancel_again_and_again(void *argument) {
  const client_canceller *canceller = argument;
  if (canceller->words) client_read_until(canceller->file, "", canceller->words);
  do CHECK_INT(RmCancelCurrentTask(canceller->session), ERROR_SUCCESS);
  while (WaitForSingleObject(canceller->over, APART_MS) == WAIT_TIMEOUT);
  return 0;
}

void client_cancel_begin(client_canceller *canceller) {
  canceller->over = CreateEventW(NULL, TRUE, FALSE, NULL);
  canceller->thread = CreateThread(NULL, 0, cancel_again_and_again, canceller, 0, NULL);
  CHECK(canceller->over && canceller->thread);
}

void client_cancel_end(client_canceller *canceller) {
  SetEvent(canceller->over);
  CHECK_INT(WaitForSingleObject(canceller->thread, SOON_MS), WAIT_OBJECT_0);
  CloseHandle(canceller->thread);
  CloseHandle(canceller->over);
}

const RM_PROCESS_INFO *client_find(const client_list *list, const RM_UNIQUE_PROCESS *process) {
  for (UINT i = 0; i < list->count; i++)
    if (memcmp(&list->infos[i].Process, process, sizeof *process) == 0) return &list->infos[i];
  return NULL;
}
