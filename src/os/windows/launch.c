/* launch.c: the start of a program: made suspended, in a job that ends it with us; named in the record; set free;
 * decided on in the record; let go.
 *
 * Whatever dies in between, the record and the world agree (launch_record.h tells how). The session's lock is ours
 * until then, and goes with us. The race that remains: a stranger who ends the new process while it is still suspended
 * is seen as a program that was started and ended at once.
 *
 * call               | purpose                                | blocks on
 * rsm__launch_create | the process, suspended                 | volumes; LIMIT_MS, then it is given up, and ends when
 *                    |                                        | the system has made it after all
 * rsm__file_append   | the record                             | the disk
 * WaitForSingleObject| does it end before its program begins? | RSM__LAUNCH_SETTLE_MS: a slower end is not
 *                    |                                        | told from that of a program that ran
 * SPDX-License-Identifier: MIT */
#include "os/launch.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/common/bounded.h"
#include "os/windows/command_line.h"
#include "os/windows/launch_create.h"
#include "os/windows/launch_hooks.h"
#include "os/windows/launch_record.h"
#include "os/windows/os_error.h"
#include "os/windows/rights.h"
#include "os/windows/wide.h"

enum { LIMIT_MS = 10000, KILL_LIMIT_MS = 5000 };

#ifdef RSM_TEST_HOOKS
void (*rsm__launch_hook_function)(int hook);
unsigned rsm__launch_settle_ms = RSM__LAUNCH_SETTLE_MS;
#endif

/* ---- Making it ---- */

/* All that the thread reads and writes, which may have to be left to it. */
typedef struct making {
  rsm__arena arena;
  rsm__capture capture;
  wchar_t *command_line;
  rsm__launch_created created;
  rsm_status status;
  rsm_error error;
} making;

static void free_making(void *argument) {
  making *make = argument;
  rsm__launch_created_done(&make->created);
  rsm__free(make->command_line);
  rsm__arena_done(&make->arena);
  rsm__free(make);
}

static void clean_making(making **make) {
  if (*make) free_making(*make);
}

static void create(rsm__bounded *job, void *argument) {
  making *make = argument;
  (void)job;
  make->status = rsm__launch_create(&make->capture, make->command_line, &make->created, &make->error);
}

/* The program's own name as it was, and the arguments that were asked for. */
static rsm_status replace_arguments(making *make, const rsm__launch_request *request, rsm_error *reterr) {
  const char *const *old = NULL;
  size_t count = 0;
  rsm_status status = rsm__command_line_split(make->capture.command_line, &make->arena, &old, &count, reterr);
  if (status != RSM_OK) return status;
  const char **args = rsm__arena_alloc(&make->arena, (request->arg_count + 1) * sizeof *args);
  if (!args) return rsm__fail_memory(reterr);
  args[0] = count && old[0][0] && !strchr(old[0], '"') ? old[0] : rsm__narrow_text_in(&make->arena, make->capture.exe);
  if (!args[0]) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < request->arg_count; i++) args[i + 1] = request->args[i];
  return rsm__command_line_join(args, request->arg_count + 1, &make->command_line, reterr);
}

static rsm_status make_command_line(making *make, const rsm__launch_request *request, rsm_error *reterr) {
  if (request->args) return replace_arguments(make, request, reterr);
  size_t length = wcslen(make->capture.command_line) + 1;
  make->command_line = rsm__calloc(length, sizeof *make->command_line);
  if (!make->command_line) return rsm__fail_memory(reterr);
  wmemcpy(make->command_line, make->capture.command_line, length);
  return RSM_OK;
}

/* Once more: we may not be who captured it, and what was recorded may have been changed since. */
static rsm_status check_rights(const making *make, rsm_error *reterr) {
  rsm__capture_rights ours;
  rsm_status status = rsm__rights_of_process(GetCurrentProcess(), &ours, reterr);
  if (status != RSM_OK) return status;
  const char *refusal =
      make->capture.obstacle ? make->capture.obstacle : rsm__capture_refusal(&make->capture.rights, &ours);
  if (!refusal) return RSM_OK;
  char exe[256] = "";
  if (make->capture.exe) rsm__narrow_to(exe, sizeof exe, make->capture.exe, wcslen(make->capture.exe));
  return rsm__fail(reterr, RSM_NOT_SUPPORTED, exe, "%s", refusal);
}

static rsm_status prepare(making *make, const rsm__launch_request *request, rsm_error *reterr) {
  const rsm__capture *capture = &make->capture;
  rsm_status status = rsm__capture_decode(request->capture, request->capture_length, &make->arena, &make->capture);
  if (status == RSM_OUT_OF_MEMORY) return rsm__fail_memory(reterr);
  if (status != RSM_OK)
    return rsm__fail(reterr, status, NULL, "what was recorded of the application is not understood");
  status = check_rights(make, reterr);
  if (status != RSM_OK) return status;
  if (!capture->exe || !capture->command_line || !capture->directory)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "its program or its directory could not be read when it ran");
  return make_command_line(make, request, reterr);
}

static rsm_status make_process(making **make, rsm_error *reterr) {
  rsm_status status = rsm__bounded_run(create, free_making, *make, LIMIT_MS, NULL, NULL, reterr);
  if (status == RSM_TIMEOUT) {
    *make = NULL; /* its thread's now */
    return rsm__fail(reterr, RSM_TIMEOUT, NULL, "did not start within %d s", LIMIT_MS / 1000);
  }
  if (status == RSM_OK && (*make)->status != RSM_OK) {
    if (reterr) *reterr = (*make)->error;
    return (*make)->status;
  }
  return status;
}

/* ---- The record ---- */

typedef struct recording {
  rsm__file *file;
  rsm__buffer bytes;
} recording;

static void recording_done(recording *record) {
  rsm__buffer_done(&record->bytes);
}

static rsm_status write_intent(recording *record, const rsm__launch_created *created, rsm_error *reterr) {
  rsm__launch_intent intent = {.process = created->id, .thread = created->thread_id};
  rsm__process *self = NULL;
  rsm_status status = rsm__process_open(&(rsm_process){.pid = rsm__process_self()}, &self, reterr);
  if (status != RSM_OK) return status;
  intent.starter = *rsm__process_id(self);
  rsm__process_close(self);
  rsm__launch_put_intent(&record->bytes, &intent);
  if (record->bytes.failed) return rsm__fail_memory(reterr);
  return rsm__file_append(record->file, record->bytes.data, record->bytes.length, reterr);
}

static rsm_status write_decision(recording *record, rsm_error *reterr) {
  size_t before = record->bytes.length;
  rsm__launch_put_decision(&record->bytes);
  if (record->bytes.failed) return rsm__fail_memory(reterr);
  return rsm__file_append(record->file, record->bytes.data + before, record->bytes.length - before, reterr);
}

/* It was decided on, and did not come to run: one byte more, and the record says nothing. If the disk does not take
 * that, it is the record of a process that has ended. */
static void revoke(const recording *record) {
  if (record->bytes.length == RSM__LAUNCH_RECORD_SIZE) rsm__file_append(record->file, "", 1, NULL);
}

/* ---- Letting it go ---- */

/* What the system's loader says of a program that it could not make ready, most often for a missing or mixed up
 * library: just what an update that went wrong leaves. */
static const char *loader_words(DWORD code) {
  switch (code) {
  case 0xC0000135:
    return "a library that it needs is missing";
  case 0xC0000139:
  case 0xC0000138:
    return "a library that it needs is of another version";
  case 0xC0000142:
    return "a library that it needs could not be made ready";
  case 0xC000007B:
    return "a library that it needs is not for this kind of program, or broken";
  default:
    return NULL;
  }
}

static rsm_status let_go(const making *make, rsm_error *reterr) {
  char exe[256];
  DWORD code = 0;
  HANDLE process = make->created.process;
  if (ResumeThread(make->created.thread) == (DWORD)-1)
    return rsm__fail_windows(reterr, GetLastError(), "ResumeThread", NULL);
  rsm__launch_hook(RSM__HOOK_RESUMED);
  if (WaitForSingleObject(process, rsm__launch_settle_ms) != WAIT_OBJECT_0 || !GetExitCodeProcess(process, &code))
    return RSM_OK;
  const char *words = loader_words(code);
  if (!words) return RSM_OK; /* it ran, and has done its work */
  rsm__narrow_to(exe, sizeof exe, make->capture.exe, wcslen(make->capture.exe));
  return rsm__fail(reterr, RSM_GEN_FAILURE, exe, "it could not begin: %s (status 0x%08lx)", words, (unsigned long)code);
}

static void undo(const making *make, const recording *record) {
  HANDLE process = make->created.process;
  TerminateProcess(process, 1);
  if (WaitForSingleObject(process, KILL_LIMIT_MS) == WAIT_OBJECT_0) revoke(record);
}

static rsm_status record_and_run(making *make, rsm__file *file, rsm_error *reterr) {
  RSM_CLEAN(recording_done) recording record = {.file = file};
  rsm__launch_hook(RSM__HOOK_CREATED);
  rsm_status status = write_intent(&record, &make->created, reterr);
  if (status != RSM_OK) return status;
  rsm__launch_hook(RSM__HOOK_INTENDED);
  status = rsm__launch_set_free(&make->created, reterr);
  if (status != RSM_OK) return status;
  rsm__launch_hook(RSM__HOOK_FREED);
  status = write_decision(&record, reterr);
  if (status == RSM_OK) {
    rsm__launch_hook(RSM__HOOK_DECIDED);
    status = let_go(make, reterr);
  }
  if (status != RSM_OK) undo(make, &record);
  return status;
}

/* ---- The order ---- */

static const char *note_of(const rsm__launch_created *created, rsm__arena *arena) {
  if (!created->in_our_job && !created->other_priority) return NULL;
  return rsm__arena_strdup(arena, !created->other_priority ? "in the installer's job"
                                  : !created->in_our_job   ? "at another priority"
                                                           : "in the installer's job, at another priority");
}

rsm_status rsm__launch_start(const rsm__launch_request *request, rsm__arena *arena, rsm__launched *ret_launched,
                             rsm_error *reterr) {
  RSM_CLEAN(clean_making) making *make = rsm__calloc(1, sizeof *make);
  if (!make) return rsm__fail_memory(reterr);
  rsm_status status = prepare(make, request, reterr);
  if (status == RSM_OK) status = make_process(&make, reterr);
  if (status == RSM_OK) status = record_and_run(make, request->record, reterr);
  if (status != RSM_OK) return status;
  /* No memory for a note is not a failure any more: the program runs. */
  *ret_launched = (rsm__launched){.process = make->created.id, .note = note_of(&make->created, arena)};
  return RSM_OK;
}
