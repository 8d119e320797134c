/* launch_create.c: SPDX-License-Identifier: MIT
 *
 * call                   | purpose                           | blocks on
 * CreateProcessW         | the process, suspended            | the volumes of its program file and its directory
 * CreateEnvironmentBlock | what a login would give           | the user's profile, which is loaded: he is logged in
 * all others             |                                   | nothing
 */
#include "os/windows/launch_create.h"

#include "base/cleanup.h"
#include "os/windows/create_process.h"
#include "os/windows/filetime.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"

/* ---- The environment ---- */

typedef BOOL WINAPI create_block(void **block, HANDLE token, BOOL inherit);
typedef BOOL WINAPI destroy_block(void *block);

/* What the process gets; `made` and `library` only if it is a login's. */
typedef struct surroundings {
  const void *block;
  void *made;
  HMODULE library;
} surroundings;

static void surroundings_done(surroundings *around) {
  destroy_block *destroy =
      around->library ? (destroy_block *)(void *)GetProcAddress(around->library, "DestroyEnvironmentBlock") : NULL;
  if (around->made && destroy) destroy(around->made);
  if (around->library) FreeLibrary(around->library);
}

/* Where its own environment is not known: the user's, as at a login. Ours has what only the installer is to know. */
static rsm_status login_environment(surroundings *around, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, &token))
    return rsm__fail_windows(reterr, GetLastError(), "OpenProcessToken", NULL);
  around->library = LoadLibraryExW(L"userenv.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
  create_block *create =
      around->library ? (create_block *)(void *)GetProcAddress(around->library, "CreateEnvironmentBlock") : NULL;
  if (!create || !create(&around->made, token, FALSE))
    return rsm__fail_windows(reterr, GetLastError(), "CreateEnvironmentBlock", NULL);
  around->block = around->made;
  return RSM_OK;
}

/* ---- The job ---- */

static rsm_status limit_job(HANDLE job, DWORD limits, rsm_error *reterr) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {.BasicLimitInformation.LimitFlags = limits};
  if (SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limit, sizeof limit)) return RSM_OK;
  return rsm__fail_windows(reterr, GetLastError(), "SetInformationJobObject", NULL);
}

static rsm_status make_job(HANDLE *ret_job, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE job = CreateJobObjectW(NULL, NULL);
  if (!job) return rsm__fail_windows(reterr, GetLastError(), "CreateJobObjectW", NULL);
  rsm_status status = limit_job(job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, reterr);
  if (status == RSM_OK) *ret_job = rsm__handle_take(&job);
  return status;
}

rsm_status rsm__launch_set_free(rsm__launch_created *created, rsm_error *reterr) {
  rsm_status status = created->job ? limit_job(created->job, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, reterr) : RSM_OK;
  created->is_free = status == RSM_OK;
  return status;
}

/* Are we in a job that what we start would be in, too? */
static bool are_in_job(void) {
  BOOL inside = FALSE;
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {0};
  if (!IsProcessInJob(GetCurrentProcess(), NULL, &inside) || !inside) return false;
  if (!QueryInformationJobObject(NULL, JobObjectExtendedLimitInformation, &limit, sizeof limit, NULL)) return true;
  return !(limit.BasicLimitInformation.LimitFlags & JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK);
}

/* ---- Attributes ---- */

typedef struct attributes {
  LPPROC_THREAD_ATTRIBUTE_LIST list; /* NULL: there are none to give */
  HANDLE job;
  bool names_job;
} attributes;

static void attributes_done(attributes *these) {
  if (these->list) DeleteProcThreadAttributeList(these->list);
  rsm__free(these->list);
}

/* In the job from its first moment on, where the system can do that (since Windows 10). */
static rsm_status make_attributes(HANDLE job, attributes *ret, rsm_error *reterr) {
  enum { JOB_LIST = 0x2000D }; /* PROC_THREAD_ATTRIBUTE_JOB_LIST, which older headers do not name */
  SIZE_T size = 0;
  InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  LPPROC_THREAD_ATTRIBUTE_LIST list = rsm__calloc(1, size);
  if (!list) return rsm__fail_memory(reterr);
  if (!InitializeProcThreadAttributeList(list, 1, 0, &size)) {
    DWORD code = GetLastError();
    rsm__free(list);
    return rsm__fail_windows(reterr, code, "InitializeProcThreadAttributeList", NULL);
  }
  ret->list = list;
  ret->job = job;
  ret->names_job = UpdateProcThreadAttribute(list, 0, JOB_LIST, &ret->job, sizeof ret->job, NULL, NULL);
  return RSM_OK;
}

/* ---- The process ---- */

enum { NEEDS_ELEVATION = 740 }; /* ERROR_ELEVATION_REQUIRED, which older headers do not name */

static rsm_status fail_create(DWORD code, const rsm__capture *capture, rsm_error *reterr) {
  char exe[256], directory[256];
  rsm__narrow_to(exe, sizeof exe, capture->exe, wcslen(capture->exe));
  rsm__narrow_to(directory, sizeof directory, capture->directory, wcslen(capture->directory));
  if (code == ERROR_DIRECTORY) {
    rsm_status status = rsm__fail_windows(reterr, code, "CreateProcessW", directory);
    if (reterr) rsm__error_explain(reterr, "its working directory cannot be entered");
    return status;
  }
  rsm_status status = rsm__fail_windows(reterr, code, "CreateProcessW", exe);
  if (code == NEEDS_ELEVATION) {
    status = rsm__fail(reterr, RSM_ACCESS_DENIED, exe, "its program asks for more rights than we have");
  } else if (reterr) {
    rsm__error_explain(reterr, "its program cannot be run");
  }
  return status;
}

static DWORD creation_flags(const rsm__capture *capture) {
  static const DWORD consoles[RSM__CONSOLE_COUNT] = {
      [RSM__CONSOLE_NONE] = DETACHED_PROCESS,
      [RSM__CONSOLE_HIDDEN] = CREATE_NO_WINDOW,
      [RSM__CONSOLE_SHOWN] = CREATE_NEW_CONSOLE,
  };
  return CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | CREATE_DEFAULT_ERROR_MODE | EXTENDED_STARTUPINFO_PRESENT |
         capture->priority | consoles[capture->console];
}

typedef struct creation {
  const rsm__capture *capture;
  wchar_t *exe, *command_line, *desktop; /* copies that the system may write to */
  const void *environment;
  LPPROC_THREAD_ATTRIBUTE_LIST attributes;
} creation;

static void creation_done(creation *made) {
  rsm__free(made->exe);
  rsm__free(made->command_line);
  rsm__free(made->desktop);
}

static wchar_t *copy_wide(const wchar_t *text) {
  size_t length = wcslen(text) + 1;
  wchar_t *copy = rsm__calloc(length, sizeof *copy);
  if (copy) wmemcpy(copy, text, length);
  return copy;
}

/* Beyond 260 units the system takes a name only with the prefix that lifts that limit. */
static rsm_status copy_path(const wchar_t *path, wchar_t **ret_copy, rsm_error *reterr) {
  RSM_CLEAN_FREE char *text = rsm__narrow_new(path, wcslen(path));
  return text ? rsm__wide_path(text, ret_copy, reterr) : rsm__fail_memory(reterr);
}

static rsm_status prepare(creation *made, const wchar_t *command_line, rsm_error *reterr) {
  const rsm__capture *capture = made->capture;
  rsm_status status = copy_path(capture->exe, &made->exe, reterr);
  if (status != RSM_OK) return status;
  made->command_line = copy_wide(command_line);
  if (capture->desktop) made->desktop = copy_wide(capture->desktop);
  return made->command_line && (made->desktop || !capture->desktop) ? RSM_OK : rsm__fail_memory(reterr);
}

/* 0, or GetLastError(). */
static DWORD create(const creation *made, DWORD more_flags, PROCESS_INFORMATION *ret) {
  const rsm__capture *capture = made->capture;
  STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start, .lpDesktop = made->desktop},
                          .lpAttributeList = made->attributes};
  if (capture->has_show) {
    start.StartupInfo.dwFlags = STARTF_USESHOWWINDOW;
    start.StartupInfo.wShowWindow = (WORD)capture->show;
  }
  if (rsm__create_process(made->exe, made->command_line, FALSE, creation_flags(capture) | more_flags,
                          (void *)(uintptr_t)made->environment, capture->directory, &start.StartupInfo, ret))
    return 0;
  return GetLastError();
}

static rsm_status take_identity(rsm__launch_created *created, rsm_error *reterr) {
  FILETIME start, end, kernel, user;
  if (!GetProcessTimes(created->process, &start, &end, &kernel, &user))
    return rsm__fail_windows(reterr, GetLastError(), "GetProcessTimes", NULL);
  created->id.start_time = rsm__filetime_number(start);
  return RSM_OK;
}

/* Without a job of ours (before Windows 8 there is one a process, and it may be the installer's) it stays behind
 * suspended if we die now; it never runs. */
static void put_into_job(rsm__launch_created *created, bool is_in_it) {
  if (is_in_it || AssignProcessToJobObject(created->job, created->process)) return;
  rsm__handle_close(&created->job);
}

/* Wine passes the flag over, and nobody gets real time without the right to it. */
static bool has_priority(HANDLE process, uint32_t wanted) {
  if (!wanted || GetPriorityClass(process) == wanted) return true;
  return SetPriorityClass(process, wanted) && GetPriorityClass(process) == wanted;
}

static rsm_status create_in_job(const creation *made, bool names_job, rsm__launch_created *created, rsm_error *reterr) {
  PROCESS_INFORMATION process = {0};
  bool inside = are_in_job();
  DWORD code = create(made, inside ? CREATE_BREAKAWAY_FROM_JOB : 0, &process);
  if (code == ERROR_ACCESS_DENIED && inside) {
    created->in_our_job = true;
    code = create(made, 0, &process);
  }
  if (code) return fail_create(code, made->capture, reterr);
  created->process = process.hProcess;
  created->thread = process.hThread;
  created->id.pid = process.dwProcessId;
  created->thread_id = process.dwThreadId;
  put_into_job(created, names_job);
  created->other_priority = !has_priority(created->process, made->capture->priority);
  return take_identity(created, reterr);
}

rsm_status rsm__launch_create(const rsm__capture *capture, const wchar_t *command_line,
                              rsm__launch_created *ret_created, rsm_error *reterr) {
  RSM_CLEAN(rsm__launch_created_done) rsm__launch_created created = {0};
  RSM_CLEAN(attributes_done) attributes these = {0};
  RSM_CLEAN(surroundings_done) surroundings around = {.block = capture->environment};
  RSM_CLEAN(creation_done) creation made = {.capture = capture};
  rsm_status status = make_job(&created.job, reterr);
  if (status == RSM_OK) status = make_attributes(created.job, &these, reterr);
  if (status == RSM_OK && !around.block) status = login_environment(&around, reterr);
  if (status == RSM_OK) status = prepare(&made, command_line, reterr);
  if (status != RSM_OK) return status;
  made.environment = around.block;
  made.attributes = these.list;
  status = create_in_job(&made, these.names_job, &created, reterr);
  if (status != RSM_OK) return status;
  *ret_created = created;
  created = (rsm__launch_created){0};
  return RSM_OK;
}

void rsm__launch_created_done(rsm__launch_created *created) {
  if (created->process && !created->is_free) TerminateProcess(created->process, 1);
  rsm__handle_close(&created->thread);
  rsm__handle_close(&created->process);
  rsm__handle_close(&created->job);
}
