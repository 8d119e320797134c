/* launch_record.c: SPDX-License-Identifier: MIT */
#include "os/windows/launch_record.h"

#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "os/launch.h"
#include "os/windows/handle.h"
#include "os/windows/process_handle.h"
#include "os/windows/rights.h"

static const uint32_t INTENT_MAGIC = 0x494D5352;   /* "RSMI" */
static const uint32_t DECISION_MAGIC = 0x504D5352; /* "RSMP" */

/* ---- The bytes ---- */

static void put_process(rsm__buffer *to, const rsm_process *process) {
  rsm__buffer_put_u32(to, process->pid);
  rsm__buffer_put_u64(to, process->start_time);
  rsm__buffer_put_u64(to, process->instance);
}

static rsm_process get_process(rsm__cursor *from) {
  rsm_process process = {.pid = rsm__cursor_u32(from)};
  process.start_time = rsm__cursor_u64(from);
  process.instance = rsm__cursor_u64(from);
  return process;
}

static void put_checksum(rsm__buffer *to) {
  if (!to->failed) rsm__buffer_put_u32(to, rsm__crc32c(to->data, to->length));
}

void rsm__launch_put_intent(rsm__buffer *to, const rsm__launch_intent *intent) {
  rsm__buffer_put_u32(to, INTENT_MAGIC);
  put_process(to, &intent->process);
  rsm__buffer_put_u32(to, intent->thread);
  put_process(to, &intent->starter);
  put_checksum(to);
}

void rsm__launch_put_decision(rsm__buffer *to) {
  rsm__buffer_put_u32(to, DECISION_MAGIC);
  put_checksum(to);
}

bool rsm__launch_parse(const void *data, size_t length, rsm__launch_intent *ret_intent, bool *ret_decided) {
  rsm__cursor from = {.data = data, .length = length};
  rsm__launch_intent intent = {0};
  if (length != RSM__LAUNCH_INTENT_SIZE && length != RSM__LAUNCH_RECORD_SIZE) return false;
  if (rsm__cursor_u32(&from) != INTENT_MAGIC) return false;
  intent.process = get_process(&from);
  intent.thread = rsm__cursor_u32(&from);
  intent.starter = get_process(&from);
  if (rsm__cursor_u32(&from) != rsm__crc32c(data, RSM__LAUNCH_INTENT_SIZE - 4) || intent.process.pid == 0) return false;
  bool decided = length == RSM__LAUNCH_RECORD_SIZE;
  if (decided && rsm__cursor_u32(&from) != DECISION_MAGIC) return false;
  if (decided && rsm__cursor_u32(&from) != rsm__crc32c(data, RSM__LAUNCH_RECORD_SIZE - 4)) return false;
  *ret_intent = intent;
  *ret_decided = decided;
  return true;
}

/* ---- Ending what a dead starter left in the middle ---- */

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

static bool is_alive(const rsm_process *id) {
  RSM_CLEAN(close_process) rsm__process *process = NULL;
  rsm_status status = rsm__process_open(id, &process, NULL);
  return status == RSM_OK ? rsm__process_alive(process) : status != RSM_NOT_FOUND;
}

/* A record is only a file: whom we would not have started ourselves is left alone. */
static bool is_one_of_ours(const rsm__process *process) {
  rsm__capture_rights theirs, ours;
  return rsm__process_can_query(process) &&
         rsm__rights_of_process(rsm__process_handle(process), &theirs, NULL) == RSM_OK &&
         rsm__rights_of_process(GetCurrentProcess(), &ours, NULL) == RSM_OK && !rsm__capture_refusal(&theirs, &ours);
}

/* The starter is gone, so nobody else lets go or ends what it left suspended. Two readers at once do the same thing
 * twice, which is no harm: a thread that runs cannot be let go any more, nor a process ended again. What remains: a
 * program that was let go, and whose first thread somebody has suspended since, is let go once more. (Whether it has
 * run cannot be asked: Wine counts the time that it took to make the process.) */
static void conclude(const rsm__launch_intent *intent, bool decided) {
  RSM_CLEAN(close_process) rsm__process *process = NULL;
  if (is_alive(&intent->starter) || rsm__process_open(&intent->process, &process, NULL) != RSM_OK) return;
  if (!is_one_of_ours(process)) return;
  if (!decided) {
    rsm__process_kill(process, NULL); /* nobody has ever let it go */
    return;
  }
  RSM_CLEAN_HANDLE HANDLE thread = OpenThread(THREAD_QUERY_INFORMATION | THREAD_SUSPEND_RESUME, FALSE, intent->thread);
  if (thread && GetProcessIdOfThread(thread) == intent->process.pid) ResumeThread(thread);
}

bool rsm__launch_record(const void *data, size_t length, rsm_process *ret_process) {
  rsm__launch_intent intent;
  bool decided;
  if (!rsm__launch_parse(data, length, &intent, &decided)) return false;
  conclude(&intent, decided);
  if (decided) *ret_process = intent.process;
  return decided;
}
