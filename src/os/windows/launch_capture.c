/* launch_capture.c: what a running process is like, and why it could not be made again from here.
 *
 * call                      | purpose                               | blocks on
 * rsm__parameters_read      | command line, directory, environment  | its pages being read back from the disk
 * EnumWindows               | has its console a window?             | nothing
 * all others                |                                       | nothing
 *
 * No call waits for the process itself, so rsm__process_within's limit does not come into it. Everything is read
 * through its handle, or through another that was opened while that one kept its number taken. What may not be read is
 * left out: the obstacle says so. SPDX-License-Identifier: MIT */
#include "os/launch.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/windows/console_window.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"
#include "os/windows/program.h"
#include "os/windows/rights.h"
#include "os/windows/wide.h"

typedef struct capturing {
  const rsm__process *process;
  HANDLE handle;
  rsm__arena *arena;
  rsm__capture capture;
} capturing;

/* The first that was found is told. */
static void obstruct(capturing *job, const char *words) {
  if (!job->capture.obstacle) job->capture.obstacle = words;
}

/* RSM_OK also for what may not be read or is not there: only no memory and no handles are failures here. */
static rsm_status tolerate(rsm_status status) {
  return rsm__is_shortage(status) ? status : RSM_OK;
}

static rsm_status read_rights(capturing *job, rsm_error *reterr) {
  rsm__capture_rights ours;
  rsm_status status = rsm__rights_of_process(GetCurrentProcess(), &ours, reterr);
  if (status != RSM_OK) return status;
  status = rsm__rights_of_process(job->handle, &job->capture.rights, reterr);
  if (status == RSM_OK) {
    const char *refusal = rsm__capture_refusal(&job->capture.rights, &ours);
    if (refusal) obstruct(job, refusal);
    return RSM_OK;
  }
  job->capture.rights = ours; /* nobody's: what stands in the way is told */
  obstruct(job, "whom it runs as cannot be read");
  return tolerate(status);
}

static rsm_status read_exe(capturing *job, rsm_error *reterr) {
  rsm_status status = rsm__program_path(job->process, job->arena, &job->capture.exe, reterr);
  if (!job->capture.exe) obstruct(job, "its program file cannot be read");
  return tolerate(status);
}

static rsm_status get_parameters(capturing *job, bool with_environment, rsm__parameters *ret, rsm_error *reterr) {
  RSM_CLEAN(rsm__clean_parameters_note) rsm__parameters_note *note = rsm__process_take_note(job->process);
  if (!note || with_environment) return rsm__parameters_read(job->process, with_environment, job->arena, ret, reterr);
  rsm__arena_move(job->arena, &note->arena);
  *ret = note->read;
  return RSM_OK;
}

static rsm_status read_parameters(capturing *job, bool with_environment, rsm_error *reterr) {
  rsm__capture *capture = &job->capture;
  rsm__parameters read = {0};
  rsm_status status = get_parameters(job, with_environment, &read, reterr);
  if (status == RSM_NOT_SUPPORTED) obstruct(job, "it is a 64-bit program, and the installer is one of 32 bits");
  if (status == RSM_ACCESS_DENIED) obstruct(job, "it is protected: its command line may not be read");
  if (status != RSM_OK) {
    obstruct(job, "its command line cannot be read");
    return tolerate(status);
  }
  capture->command_line = read.command_line;
  capture->directory = read.directory;
  capture->desktop = read.desktop;
  capture->environment = read.environment;
  capture->environment_length = read.environment_length;
  capture->is_32_bit = read.is_32_bit;
  capture->has_show = read.has_show && read.show <= SW_FORCEMINIMIZE;
  capture->show = capture->has_show ? read.show : 0;
  if (!read.directory) obstruct(job, "its working directory cannot be read");
  bool hidden = capture->has_show && capture->show == SW_HIDE;
  capture->console = !read.has_console                                ? RSM__CONSOLE_NONE
                     : !hidden && rsm__console_is_shown(job->process) ? RSM__CONSOLE_SHOWN
                                                                      : RSM__CONSOLE_HIDDEN;
  return RSM_OK;
}

typedef LONG WINAPI get_package_name(HANDLE process, UINT32 *length, PWSTR name);

/* Started by its program file it would run without what its package gives it, or not at all. */
static void look_for_package(capturing *job) {
  HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
  get_package_name *get = kernel ? (get_package_name *)(void *)GetProcAddress(kernel, "GetPackageFullName") : NULL;
  UINT32 length = 0;
  if (get && get(job->handle, &length, NULL) == ERROR_INSUFFICIENT_BUFFER)
    obstruct(job, "it is a packaged application: only Windows itself can start it");
}

/* Whom we may not open, we can neither describe nor start. */
static rsm_status describe_nobody(capturing *job, rsm_error *reterr) {
  obstruct(job, "runs as another user, or with more rights than we have");
  return rsm__rights_of_process(GetCurrentProcess(), &job->capture.rights, reterr);
}

static rsm_status read_everything(capturing *job, bool with_environment, rsm_error *reterr) {
  if (!rsm__process_can_query(job->process)) return describe_nobody(job, reterr);
  rsm_status status = read_rights(job, reterr);
  if (status == RSM_OK) status = read_exe(job, reterr);
  if (status == RSM_OK) status = read_parameters(job, with_environment, reterr);
  if (status != RSM_OK) return status;
  look_for_package(job);
  job->capture.priority = GetPriorityClass(job->handle);
  return RSM_OK;
}

rsm_status rsm__launch_capture(const rsm__process *process, bool with_environment, rsm__arena *arena,
                               rsm__buffer *ret_capture, const char **ret_obstacle, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena texts = {0};
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  capturing job = {.process = process, .handle = rsm__process_handle(process), .arena = &texts};
  rsm_status status = read_everything(&job, with_environment, reterr);
  if (status != RSM_OK) return status;
  /* Last: what was read of a process that has ended meanwhile may have been read of its memory as it went away. */
  if (!rsm__process_alive(process))
    return rsm__fail(reterr, RSM_NOT_FOUND, NULL, "process %u has ended", (unsigned)rsm__process_id(process)->pid);
  rsm__capture_encode(&job.capture, &bytes);
  const char *obstacle = rsm__arena_strdup(arena, job.capture.obstacle);
  if (bytes.failed || (job.capture.obstacle && !obstacle)) return rsm__fail_memory(reterr);
  rsm__buffer_done(ret_capture);
  *ret_capture = bytes;
  bytes = (rsm__buffer){0};
  *ret_obstacle = obstacle;
  return RSM_OK;
}
